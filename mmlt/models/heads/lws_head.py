"""Linear head whose logits are scaled, one learnt factor a class."""

from __future__ import annotations

from typing import Any

import torch
from mmpretrain.models.heads import LinearClsHead
from torch import Tensor, nn

from mmlt.checks import check_size
from mmlt.registry import MODELS


@MODELS.register_module()
class ScaledLinear(nn.Linear):
    """``s_k (w_k x + b_k)``; the scales start at 1.

    The classifier of :class:`LWSHead`, and of a box head of MMDetection with
    ``cls_predictor_cfg=dict(type='mmlt.ScaledLinear')``, the background
    included.

    Args:
        in_features (int): Width of the feature.
        out_features (int): Number of columns.

    Raises:
        TypeError: If a number is none.
        ValueError: If a number is not positive.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(
            check_size('in_features', in_features),
            check_size('out_features', out_features),
        )
        self.scale = nn.Parameter(torch.ones(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., D) to (..., C)."""
        return super().forward(x) * self.scale


@MODELS.register_module()
class LWSHead(LinearClsHead):
    r"""Learnable weight scaling of a trained linear classifier.

    `Decoupling Representation and Classifier for Long-Tailed Recognition
    <https://arxiv.org/abs/1910.09217>`_, Eq. 5, as in its code: the bias is
    scaled, too,

    .. math::
        z_k = s_k (w_k^T x + b_k)

    Weight and bias have the names of the stock head, so that the first
    stage's checkpoint fills them. ``mmlt.TrainablePartsHook`` freezes them
    and all else but the scales. Edits of the last layer (post-hoc adjustment,
    tau-norm) refuse the layer, since the scales would undo them.

    Args:
        num_classes (int): Number of classes C.
        in_channels (int): Width D of the feature.
        **kwargs: ``loss``, ``topk``, ``cal_acc`` and ``init_cfg`` of
            MMPretrain's ``LinearClsHead``.

    Raises:
        TypeError: If a number is none.
        ValueError: If a number is not positive.

    Example:
        >>> model = dict(head=dict(type='mmlt.LWSHead'))
        >>> default_hooks = dict(
        ...     trainable_parts=dict(
        ...         type='mmlt.TrainablePartsHook', trainable=['head.fc.scale']
        ...     )
        ... )
    """

    def __init__(
        self, num_classes: int, in_channels: int, **kwargs: Any
    ) -> None:
        super().__init__(
            check_size('num_classes', num_classes),
            check_size('in_channels', in_channels),
            **kwargs,
        )
        self.fc = ScaledLinear(in_channels, num_classes)
