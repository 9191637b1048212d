"""Heads with a memory of classes. B batch, C classes, D features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from mmpretrain.models.heads import ClsHead, MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from mmlt.checks import check_number, check_size
from mmlt.models.class_sums import sum_by_class
from mmlt.models.losses.base import in_full_precision
from mmlt.models.losses.centroid_loss import centroid_loss
from mmlt.registry import MODELS

from .visual_memory import SquashedCosineLinear, VisualMemory


class OLTRMixin:
    """Memory, classifier and centroid loss of a head of MMPretrain."""

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        scale: float = 16.0,
        reach: float = 10.0,
        centroid_weight: float = 0.01,
        repel_weight: float = 0.01,
        margin: float = 10.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = check_size('num_classes', num_classes)
        self.in_channels = check_size('in_channels', in_channels)
        check_number('scale', scale, positive=True)
        check_number('reach', reach, positive=True)
        check_number('centroid_weight', centroid_weight, positive=True)
        self.centroid_options = dict(
            weight=centroid_weight,
            repel_weight=check_number('repel_weight', repel_weight),
            margin=check_number('margin', margin),
        )
        self.memory = VisualMemory(num_classes, in_channels, reach)
        self.classifier = SquashedCosineLinear(in_channels, num_classes, scale)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Compute logits (B, C) from features, the last being (B, D).

        Raises:
            ValueError: If there are no centroids yet, or D is another.
        """
        if not self.memory.has_centroids:
            raise ValueError(
                f'{type(self).__name__} has no centroids: add custom_hooks='
                "[dict(type='mmlt.ClassCentroidsHook')] to train, which "
                'computes them from the first stage in load_from, or test a '
                'checkpoint of that training'
            )
        feature = self.pre_logits(feats)
        if feature.dim() != 2 or feature.size(1) != self.in_channels:
            raise ValueError(
                f'feats has the shape {tuple(feature.shape)}, but '
                f'{type(self).__name__} wants (B, in_channels='
                f'{self.in_channels}): set in_channels to that of the neck'
            )
        return self.classifier(self.memory(feature))

    def loss(
        self,
        feats: tuple[Tensor, ...],
        data_samples: list[DataSample],
        **kwargs: Any,
    ) -> dict[str, Tensor]:
        """Losses of the logits, and that of the centroids."""
        losses = super().loss(feats, data_samples, **kwargs)
        feature = self.pre_logits(feats)
        target = self.targets(data_samples).to(feature.device)
        with torch.autocast(feature.device.type, enabled=False):
            full = in_full_precision(feature)
            centroids = self.memory.centroids.to(full)
            losses['loss_centroid'] = centroid_loss(
                full, centroids, target, **self.centroid_options
            )
        return losses

    def targets(self, data_samples: list[DataSample]) -> Tensor:
        """(B, C) of 1 for the classes of each image.

        Raises:
            ValueError: If a sample has scores of other classes.
        """
        if 'gt_score' in data_samples[0]:
            target = torch.stack([each.gt_score for each in data_samples])
            if target.size(1) != self.num_classes:
                raise ValueError(
                    f'gt_score of the images has {target.size(1)} classes, '
                    f'but num_classes of {type(self).__name__} is '
                    f'{self.num_classes}; set it to that of the data set'
                )
            return target
        labels = [each.gt_label for each in data_samples]
        index = torch.cat(labels)
        rows = [row for row, each in enumerate(labels) for _ in each]
        rows = torch.tensor(rows, dtype=torch.long, device=index.device)
        target = torch.zeros(
            len(labels), self.num_classes, device=index.device
        )
        return target.index_put((rows, index), target.new_ones(()))

    @torch.no_grad()
    def set_centroids(
        self, batches: Iterable[tuple[Tensor, list[DataSample]]]
    ) -> None:
        """Take the class means of the training set, over all ranks.

        An image with several labels counts for each. The centroid of a class
        without images is zero.

        Args:
            batches (Iterable[tuple[Tensor, list[DataSample]]]): This rank's
                features (B, D) on the CPU and their samples, batch by batch.
        """
        sums = sum_by_class(
            (
                self._rows_of_labels(feature, samples)
                for feature, samples in batches
            ),
            self.num_classes,
            self.in_channels + 1,
        )
        means = sums[:, :-1] / sums[:, -1:].clamp(min=1)
        self.memory.centroids.copy_(means)
        self.memory.has_centroids = True

    def _rows_of_labels(
        self, feature: Tensor, data_samples: list[DataSample]
    ) -> tuple[Tensor, Tensor]:
        """Features, and a one to be counted, and the class of each label."""
        target = self.targets(data_samples).cpu()
        images, labels = (target > 0).nonzero(as_tuple=True)
        rows = torch.cat([feature, feature.new_ones(len(feature), 1)], 1)
        return rows[images], labels

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        # W_h starts from the linear classifier of the first stage.
        for name in ('weight', 'bias'):
            first = state_dict.pop(f'{prefix}fc.{name}', None)
            if first is not None:
                key = f'{prefix}memory.hallucinator.{name}'
                state_dict.setdefault(key, first)
        super()._load_from_state_dict(state_dict, prefix, *args)


@MODELS.register_module()
class OLTRHead(OLTRMixin, ClsHead):
    r"""Open long-tailed recognition: memory, reachability, cosine classifier.

    `Large-Scale Long-Tailed Recognition in an Open World
    <https://arxiv.org/abs/1904.05160>`_, sections 3.3 and 3.4, with the
    embedding v of :class:`VisualMemory`,

    .. math::
        z_k = s \frac{\lVert v \rVert}{1 + \lVert v \rVert}
        \cos(v, w_k)

    and a loss beside that of the logits, see
    :func:`mmlt.models.losses.centroid_loss.centroid_loss`. It is a second
    stage: W_h starts from the linear classifier (``head.fc``) of the first
    stage in ``load_from``, the centroids from its class means, which
    ``mmlt.ClassCentroidsHook`` computes. Checkpoints hold both.
    ``mmlt.ModulatedAttention`` is the attention of the paper.

    Args:
        num_classes (int): Number of classes C.
        in_channels (int): Width D of the feature.
        scale (float): s, > 0.
        reach (float): Numerator of the reachability, > 0.
        centroid_weight (float): Of the centroid loss, > 0.
        repel_weight (float): Of its second term, >= 0.
        margin (float): Of its second term, a squared distance, >= 0.
        **kwargs: ``loss``, ``topk``, ``cal_acc`` and ``init_cfg`` of
            MMPretrain's ``ClsHead``.

    Raises:
        TypeError: If a number is none.
        ValueError: If a number is out of range; at use if there are no
            centroids yet.

    Note:
        As in the authors' code, the loss of the logits does not reach the
        centroids. Distances below 1e-6 count as 1e-6.

    Example:
        >>> model = dict(
        ...     neck=[
        ...         dict(type='mmlt.ModulatedAttention', in_channels=512),
        ...         dict(type='GlobalAveragePooling'),
        ...     ],
        ...     head=dict(
        ...         type='mmlt.OLTRHead', num_classes=1000, in_channels=512
        ...     ),
        ... )
        >>> custom_hooks = [dict(type='mmlt.ClassCentroidsHook')]
    """


@MODELS.register_module()
class MultiLabelOLTRHead(OLTRMixin, MultiLabelClsHead):
    """:class:`OLTRHead` for images with several labels.

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_ compares
    itself with OLTR, but neither paper says how, and no code is published.
    Inferred is: the logits of :class:`OLTRHead` go into a sigmoid, the
    centroid of a class is the mean of all images that have it, W_h is a
    softmax as ever, and ``centroid_loss`` says what an image with several
    labels is pulled to. There is no attention.

    Args:
        num_classes (int): As :class:`OLTRHead`.
        in_channels (int): As :class:`OLTRHead`.
        scale (float): As :class:`OLTRHead`.
        reach (float): As :class:`OLTRHead`.
        centroid_weight (float): As :class:`OLTRHead`.
        repel_weight (float): As :class:`OLTRHead`.
        margin (float): As :class:`OLTRHead`.
        **kwargs: ``loss``, ``thr``, ``topk`` and ``init_cfg`` of MMPretrain's
            ``MultiLabelClsHead``.

    Raises:
        TypeError: If a number is none.
        ValueError: If a number is out of range; at use if there are no
            centroids yet.
    """
