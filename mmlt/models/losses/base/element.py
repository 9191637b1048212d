"""Base of all losses. B batch, K columns of the classifier."""

from __future__ import annotations

from typing import Any

import torch
from mmpretrain.models.losses.utils import weight_reduce_loss
from torch import Tensor

from mmlt.checks import check_number
from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import ClassStatsModule

from ..checks import check_reduction


class ElementLoss(ClassStatsModule):
    """A loss of many elements, which are weighted and reduced.

    A subclass sets its own arguments before it calls this ``__init__``, which
    computes the tables. The values of targets are checked in the first batch,
    on every device alike; later this would wait for it.

    Args:
        class_stats (ClassStats | dict | list | str | None): See
            :meth:`mmlt.class_stats.ClassStats.from_any`. Defaults to None:
            the hook or the checkpoint gives them.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss, >= 0.

    Raises:
        TypeError: If ``loss_weight`` is no number.
        ValueError: For an unknown reduction, a number out of range, or
            statistics of no use.
    """

    def __init__(
        self,
        class_stats: Any = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction
        self.loss_weight = check_number('loss_weight', loss_weight)
        self.is_first_batch = True
        # A buffer, so that no value is compiled in.
        reweights = torch.tensor(True)
        self.register_buffer('reweights', reweights, persistent=False)
        self.init_class_stats(class_stats)

    def tables(self, stats: ClassStats) -> dict[str, Any]:
        """What the formula takes from the class frequencies.

        Returns:
            dict[str, np.ndarray | Tensor]: Each becomes a buffer of that
            name, on the device of the module and not in checkpoints.

        Raises:
            ValueError: If the statistics are of no use.
        """
        return {}

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        """The loss of each element: the formula.

        Args:
            cls_score (Tensor): (B, K) logits, float32 or float64.
            target (Tensor): As the base says.
        """
        raise NotImplementedError

    def check_target(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise if the shapes do not fit each other."""
        raise NotImplementedError

    def check_values(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise for labels that do not exist; may wait for the device."""

    def prepare(
        self, cls_score: Tensor, target: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Targets as the formula wants them, and weights of the elements."""
        return target, weight

    @property
    def can_defer(self) -> bool:
        """Whether it has class weights: uses :meth:`unless_deferred`."""
        return False

    def unless_deferred(self, class_weight: Tensor) -> Tensor:
        """The weights, or ones while ``DeferredReweightHook`` says so."""
        return torch.where(self.reweights, class_weight, 1.0)

    @property
    def needs_class_stats(self) -> bool:
        """Whether it raises without class statistics."""
        return type(self).tables is not ElementLoss.tables

    def on_class_stats(self, stats: ClassStats) -> None:
        """Keep the tables."""
        for name, table in self.tables(stats).items():
            self.keep_table(name, table)

    def keep_table(self, name: str, table: Any) -> None:
        """Keep one of them as a buffer."""
        table = torch.as_tensor(table)
        known = getattr(self, name, None)
        if table.is_floating_point():
            # Unless the module has been moved to another precision.
            dtype = torch.float32 if known is None else known.dtype
            table = table.to(dtype)
        table = table.to(self.num_images.device)
        self.register_buffer(name, table, persistent=False)

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            cls_score (Tensor): (B, K) raw logits, which stay as they are.
            target (Tensor): As the base says.
            weight (Tensor | None): (B,) weight of each sample, or (B, C).
            avg_factor (float | None): Divide the sum by this instead of the
                number of elements; only with the reduction ``'mean'``.
            reduction_override (str | None): Instead of ``reduction``.

        Returns:
            Tensor: 0-dim, or all elements for the reduction ``'none'``.

        Raises:
            ValueError: If there are no class statistics, if scores, targets
                and statistics do not fit each other, or for ``avg_factor``
                with the reduction ``'sum'``.
        """
        scores = self.checked(cls_score, target)
        target, weight = self.prepare(scores, target, weight)
        loss = self.element_loss(scores, target)
        self.is_first_batch = False
        return self.reduced(loss, weight, avg_factor, reduction_override)

    def reduced(
        self,
        loss: Tensor,
        weight: Tensor | None,
        avg_factor: float | None,
        reduction_override: str | None,
    ) -> Tensor:
        """Weigh and reduce the elements, as :meth:`forward` says."""
        if weight is not None and weight.dim() < loss.dim():
            weight = weight.unsqueeze(1)
        reduction = reduction_override or self.reduction
        check_reduction(reduction)
        if avg_factor is not None and reduction == 'sum':
            raise ValueError(
                f"avg_factor={avg_factor} needs the reduction 'mean'; 'sum' "
                'divides by nothing'
            )
        # Heads give the size of the batch, which is 0 for an empty one.
        if reduction == 'mean' and (avg_factor is None or not loss.numel()):
            avg_factor = max(loss.numel(), 1)
        return self.loss_weight * weight_reduce_loss(
            loss, weight, reduction, avg_factor
        )

    def checked(self, cls_score: Tensor, target: Tensor) -> Tensor:
        """The scores, in float32 at least; raises as :meth:`forward`."""
        if self.needs_class_stats:
            self.check_class_stats()
        self.check_target(cls_score, target)
        if not torch.compiler.is_compiling() and self.is_first_batch:
            self.check_values(cls_score, target)
        return in_full_precision(cls_score)


def in_full_precision(cls_score: Tensor) -> Tensor:
    """float32 at least, as autocast gives the stock losses.

    Half precision holds neither 1 / n nor a sum over many classes.
    """
    return cls_score.float() if cls_score.element_size() < 4 else cls_score
