"""The mean feature of each class. B batch, C classes, D channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.models.class_sums import sum_by_class
from mmlt.models.losses.base import in_full_precision

NORMALIZATIONS = ('plain', 'l2', 'cl2n')


def normalize(feature: Tensor, how: str, center: Tensor) -> Tensor:
    """f(x) of features (B, D), with the mean (D,) of the training set."""
    if how == 'plain':
        return feature
    return F.normalize(feature - center if how == 'cl2n' else feature, dim=1)


class ClassMeans:
    """A head that compares features with the means of classes.

    A mixin of modules, which call :meth:`init_means`. The means are in
    checkpoints; those of another ``normalize`` have other names there and
    are not loaded.
    """

    def init_means(self, num_classes: int, width: int, how: str) -> None:
        """Register the buffers of C means of D channels.

        Raises:
            ValueError: If ``normalize``, here ``how``, is unknown.
        """
        if how not in NORMALIZATIONS:
            raise ValueError(
                f'normalize must be one of {NORMALIZATIONS}, got {how!r}'
            )
        self.num_classes = num_classes
        self.normalize = how
        # Without rows until the means exist, which a test of the shape tells
        # without waiting for the device.
        self.register_buffer(self._name, torch.empty(0, width))
        self.register_buffer('center', torch.zeros(width))

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

    def nearness(self, feature: Tensor) -> Tensor:
        """(B, C) negative squared distances of features (B, D) to the means.

        Raises:
            ValueError: If there are no means yet, or of another width.
        """
        name = type(self).__name__
        if not len(self.means):
            raise ValueError(
                f'{name} has no class means of normalize={self.normalize!r}: '
                'run tools/train.py with this config and '
                "train_cfg=dict(type='mmlt.ClassMeansLoop'), which computes "
                'them, and test the checkpoint that it writes'
            )
        if feature.size(-1) != len(self.center):
            raise ValueError(
                f'{name} got features of the shape {tuple(feature.shape)}, '
                f'but its class means have {len(self.center)} channels'
            )
        # A difference of squares is too coarse in half precision.
        with torch.autocast(feature.device.type, enabled=False):
            x = in_full_precision(feature)
            x = normalize(x, self.normalize, self.center.to(x.dtype))
            means = self.means.to(x.dtype)
            square = x.square().sum(1, keepdim=True) + means.square().sum(1)
            return 2 * x @ means.T - square

    @torch.no_grad()
    def set_means(self, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Compute the means of the training set, over all ranks.

        Args:
            batches (Sequence[tuple[Tensor, Tensor]]): This rank's features
                (B, D) and labels (B,), batch by batch.

        Raises:
            ValueError: If a class has none.
        """
        ones = [(x.new_ones(len(x), 1), y) for x, y in batches]
        count = sum_by_class(ones, self.num_classes, 1)
        empty = (count == 0).flatten().nonzero().flatten().tolist()
        if empty:
            raise ValueError(
                f'the training set has nothing of the classes {empty[:8]}, '
                f'{len(empty)} of num_classes={self.num_classes}, and so no '
                'mean of theirs; leave them out of the classes of the data '
                'set, or give it images'
            )
        size = self.num_classes, len(self.center)
        center = sum_by_class(batches, *size).sum(0) / count.sum()
        sums = sum_by_class(
            ((normalize(x.double(), self.normalize, center), y)
             for x, y in batches), *size
        )  # fmt: skip
        self.center.copy_(center)
        self.means = (sums / count).to(self.center)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        loaded = state_dict.get(prefix + self._name)
        if loaded is not None and len(loaded) in (0, self.num_classes):
            self.means = self.means.new_empty(len(loaded), len(self.center))
        super()._load_from_state_dict(state_dict, prefix, *args)
