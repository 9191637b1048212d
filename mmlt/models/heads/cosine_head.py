"""Classifier of cosine logits. B batch, C classes, D features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmpretrain.models.heads import LinearClsHead
from torch import Tensor, nn

from mmlt.checks import check_number, check_size, check_switch
from mmlt.registry import MODELS


class CosineLinear(nn.Linear):
    """Linear layer of normalised features and weights, without a bias.

    Args:
        in_features (int): D.
        out_features (int): C.
        scale (float): Factor of the cosines.
        learn_scale (bool): Whether the factor is a parameter.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        scale: float = 1.0,
        learn_scale: bool = False,
    ) -> None:
        super().__init__(in_features, out_features, bias=False)
        self.scale = nn.Parameter(
            torch.tensor(float(scale)), requires_grad=learn_scale
        )

    def forward(self, feature: Tensor) -> Tensor:
        """Logits (B, C) of features (B, D)."""
        weight = F.normalize(self.weight, dim=1)
        return self.scale * F.linear(F.normalize(feature, dim=1), weight)


@MODELS.register_module()
class CosineClsHead(LinearClsHead):
    """Linear head whose logits are ``scale * cos(feature, weight of class)``.

    The normalised layer that `LDAM <https://arxiv.org/abs/1906.07413>`_
    needs. Its loss brings the scale; with any other loss take a scale of 16
    or more, or learn it: cosines alone are too small for a softmax.

    Args:
        num_classes (int): Number of classes C.
        in_channels (int): Width D of the features.
        scale (float): Factor of the cosines, > 0. Defaults to 1.0.
        learn_scale (bool): Whether it is learnt, from that value on.
            Defaults to False.
        init_cfg (dict, optional): Initialisation. Defaults to None: that of
            a linear layer in PyTorch.
        **kwargs: ``loss``, ``topk`` and ``cal_acc`` of MMPretrain's
            ``LinearClsHead``.

    Raises:
        TypeError: If ``scale`` is no number or ``learn_scale`` no switch.
        ValueError: If ``scale`` is not positive and finite.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        scale: float = 1.0,
        learn_scale: bool = False,
        init_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        check_size('num_classes', num_classes)
        check_size('in_channels', in_channels)
        check_number('scale', scale, positive=True)
        check_switch('learn_scale', learn_scale)
        super().__init__(num_classes, in_channels, init_cfg, **kwargs)
        self.fc = CosineLinear(in_channels, num_classes, scale, learn_scale)
