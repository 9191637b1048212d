r"""Which part of the losses of a detector objects of each size have.

`Stitcher <https://arxiv.org/abs/2004.12432>`_, section 3.3: of the box
regression loss L of all positives, the part of those whose object has an area
in a range, :math:`L^s / L`. The classification loss of positives goes alike.

P positives, S sizes, L losses.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.models.losses import SeesawLoss
from torch import Tensor, nn

from mmlt.checks import check_list
from mmlt.class_stats.sizes import COCO_BOUNDS, check_bounds

from .loss_readers import heads_and_weights, reader_of
from .losses import BAGSLoss, FederatedLoss

LOSSES = ('box', 'cls')
# Their loss of an RoI is not known without the other ones.
OF_A_BATCH = (BAGSLoss, FederatedLoss, SeesawLoss)


def check_losses(losses: Sequence[str]) -> tuple[str, ...]:
    """The losses; raises unless they are ``'box'``, ``'cls'`` or both."""
    losses = check_list('losses', losses)
    if not {*losses} <= {*LOSSES}:
        raise ValueError(
            f'losses must hold one or both of {LOSSES}, got {losses!r}'
        )
    return losses


def size_sums(value: Tensor, area: Tensor, bounds: Sequence[float]) -> Tensor:
    """Sum values by size.

    Args:
        value (Tensor): (..., P) of objects.
        area (Tensor): (P,) of them.
        bounds (Sequence[float]): S - 1 rising areas, each the first of the
            next size.

    Returns:
        Tensor: (..., S) sums.
    """
    size = sum((area >= bound).long() for bound in bounds)
    sums = value.new_zeros(*value.shape[:-1], len(bounds) + 1)
    return sums.index_add_(-1, size, value)


class SizeShares:
    """Sums the losses of positives by the size of their objects.

    Attached to a detector, it reads what goes into its losses in training and
    evaluates those of the positives again: no forward pass of the network, no
    wait for the device, and no influence on the training.

    It knows the box heads of ``StandardRoIHead`` and ``CascadeRoIHead`` (all
    stages, by their weights), and ``RetinaHead`` and other plain
    ``AnchorHead``, ``ATSSHead`` and ``FCOSHead``.

    Args:
        model (nn.Module): A detector without wrappers, see
            :func:`mmlt.models.unwrap.unwrap`.
        bounds (Sequence[float]): S - 1 rising areas in square pixels at the
            scale of the network's input, each the first of the next size.
            Defaults to those of COCO: small < 32^2, medium < 96^2, large.
        losses (Sequence[str]): ``'box'``, ``'cls'`` or both.

    Raises:
        TypeError: If the losses of the model cannot be read.
        ValueError: If bounds or losses are none.

    Note:
        ATSS divides its box loss by the sum over all levels of the batch
        afterwards: its sums are right up to a common factor.
    """

    def __init__(
        self,
        model: nn.Module,
        bounds: Sequence[float] = COCO_BOUNDS,
        losses: Sequence[str] = LOSSES,
    ) -> None:
        self.bounds = check_bounds(bounds)
        self.losses = check_losses(losses)
        # (L, P) losses, and areas of their objects.
        self._values: list[Tensor] = []
        self._areas: list[Tensor] = []
        for head, weight in heads_and_weights(model):
            reader = reader_of(head)
            self._check_losses(head)
            reader(head, self.losses, weight, self._add)
        self._like = next(model.parameters())

    def take(self) -> dict[str, Tensor]:
        """The sums since the last call.

        Returns:
            dict[str, Tensor]: (S,) float32 for each of ``losses``, on the
            device of the model; zeros without a positive.
        """
        none = self._like.new_zeros(len(self.losses), 0, dtype=torch.float)
        values = torch.cat([none, *self._values], dim=1)
        areas = torch.cat([none[0], *self._areas])
        self._values.clear()
        self._areas.clear()
        sums = size_sums(values, areas, self.bounds)
        return dict(zip(self.losses, sums, strict=True))

    def _add(self, values: Tensor, areas: Tensor) -> None:
        self._values.append(values)
        self._areas.append(areas)

    def _check_losses(self, head: nn.Module) -> None:
        if 'cls' in self.losses and isinstance(head.loss_cls, OF_A_BATCH):
            raise TypeError(
                f'loss_cls={type(head.loss_cls).__name__} is one of a batch, '
                'of which a positive has no part of its own; measure the box '
                "loss alone: losses=('box',), feedback='box'"
            )
