"""Nearest class mean. B batch, C classes, D channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.heads import ClsHead
from torch import Tensor

from mmlt.checks import check_size
from mmlt.models.class_sums import sum_by_class
from mmlt.models.losses.base import in_full_precision
from mmlt.registry import MODELS

NORMALIZATIONS = ('plain', 'l2', 'cl2n')


def normalize(feature: Tensor, how: str, center: Tensor) -> Tensor:
    """f(x) of features (B, D), with the mean (D,) of the training set."""
    if how == 'plain':
        return feature
    return F.normalize(feature - center if how == 'cl2n' else feature, dim=1)


@MODELS.register_module()
class NCMHead(ClsHead):
    r"""Nearest class mean: logits are negative squared distances.

    `Decoupling Representation and Classifier for Long-Tailed Recognition
    <https://arxiv.org/abs/1910.09217>`_, section 4.1, with the Euclidean
    distance to the mean feature of each class,

    .. math::
        z_k = -\lVert f(x) - m_k \rVert^2, \qquad
        m_k = \frac{1}{n_k} \sum_{i: y_i = k} f(x_i)

    where f is the feature itself (``'plain'``), the feature over its L2 norm
    (``'l2'``), or that of the feature minus the mean of the training set
    (``'cl2n'``), the default of the paper's code. The means themselves are not
    normalised again. Nothing is trained: ``mmlt.ClassMeansLoop``, in the
    place of a training, sets the means. They are in checkpoints; those of
    another ``normalize`` have other names there and are not loaded.

    Args:
        num_classes (int): Number of classes C.
        in_channels (int): Width D of the feature.
        normalize (str): ``'plain'``, ``'l2'`` or ``'cl2n'``.
        **kwargs: ``loss``, ``topk``, ``cal_acc`` and ``init_cfg`` of
            MMPretrain's ``ClsHead``.

    Raises:
        TypeError: If a number is none.
        ValueError: If a number is not positive, or ``normalize`` unknown; at
            use if there are no class means yet.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        normalize: str = 'cl2n',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if normalize not in NORMALIZATIONS:
            raise ValueError(
                f'normalize must be one of {NORMALIZATIONS}, got {normalize!r}'
            )
        self.num_classes = check_size('num_classes', num_classes)
        self.in_channels = check_size('in_channels', in_channels)
        self.normalize = normalize
        # Without rows until the means exist, which a test of the shape tells
        # without waiting for the device.
        self.register_buffer(self._name, torch.empty(0, in_channels))
        self.register_buffer('center', torch.zeros(in_channels))

    @property
    def _name(self) -> str:
        return f'{self.normalize}_means'

    @property
    def means(self) -> Tensor:
        """(C, D) means of the classes; (0, D) if there are none yet."""
        return getattr(self, self._name)

    @means.setter
    def means(self, value: Tensor) -> None:
        setattr(self, self._name, value)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Compute logits (B, C) from features, the last being (B, D)."""
        if not len(self.means):
            raise ValueError(
                f'NCMHead has no class means of normalize={self.normalize!r}: '
                'run tools/train.py with this config and '
                "train_cfg=dict(type='mmlt.ClassMeansLoop'), which computes "
                'them, and test the checkpoint that it writes'
            )
        feature = self.pre_logits(feats)
        if feature.size(-1) != self.in_channels:
            raise ValueError(
                f'feats has the shape {tuple(feature.shape)}, but in_channels '
                f'of NCMHead is {self.in_channels}'
            )
        # A difference of squares is too coarse in half precision.
        with torch.autocast(feature.device.type, enabled=False):
            x = in_full_precision(feature)
            x = normalize(x, self.normalize, self.center.to(x.dtype))
            means = self.means.to(x.dtype)
            square = x.square().sum(1, keepdim=True) + means.square().sum(1)
            return 2 * x @ means.T - square

    @torch.no_grad()
    def set_means(self, batches: Sequence[tuple[Tensor, Tensor]]) -> int:
        """Compute the means of the training set, over all ranks.

        Args:
            batches (Sequence[tuple[Tensor, Tensor]]): This rank's features
                (B, D) and labels (B,), batch by batch.

        Returns:
            int: How many images there are on all ranks.

        Raises:
            ValueError: If a class has none.
        """
        ones = [(x.new_ones(len(x), 1), y) for x, y in batches]
        count = sum_by_class(ones, self.num_classes, 1)
        empty = (count == 0).flatten().nonzero().flatten().tolist()
        if empty:
            raise ValueError(
                f'the training set has no image of the classes {empty[:8]}, '
                f'{len(empty)} of num_classes={self.num_classes}, and so no '
                'mean of theirs; leave them out of the classes of the data '
                'set, or give it images'
            )
        size = self.num_classes, self.in_channels
        center = sum_by_class(batches, *size).sum(0) / count.sum()
        sums = sum_by_class(
            ((normalize(x.double(), self.normalize, center), y)
             for x, y in batches), *size
        )  # fmt: skip
        self.center.copy_(center)
        self.means = (sums / count).to(self.center)
        return int(count.sum())

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        loaded = state_dict.get(prefix + self._name)
        if loaded is not None and len(loaded) in (0, self.num_classes):
            self.means = self.means.new_empty(len(loaded), self.in_channels)
        super()._load_from_state_dict(state_dict, prefix, *args)
