"""ResNet-10, the network that OLTR trains from scratch."""

from __future__ import annotations

from typing import Any

from mmpretrain.models.backbones import ResNet
from mmpretrain.models.backbones.resnet import BasicBlock

from mmlt.registry import MODELS


@MODELS.register_module()
class ResNet10(ResNet):
    """ResNet with one basic block a stage: 4.9 M parameters, 512 channels.

    That of `Large-Scale Long-Tailed Recognition in an Open World
    <https://arxiv.org/abs/1904.05160>`_ on ImageNet-LT.

    Args:
        **kwargs: Those of MMPretrain's ``ResNet`` but ``depth``.
    """

    arch_settings = {10: (BasicBlock, (1, 1, 1, 1))}  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(depth=10, **kwargs)
