"""ResNet-10 is MMPretrain's ResNet with a block a stage."""

import torch
from mmengine.registry import MODELS

from mmlt.models.backbones import ResNet10


def test_blocks_maps_and_size():
    backbone = MODELS.build(dict(type='mmlt.ResNet10'))
    stages = [getattr(backbone, name) for name in backbone.res_layers]
    assert [len(stage) for stage in stages] == [1, 1, 1, 1]
    (x,) = backbone(torch.zeros(1, 3, 224, 224))
    assert x.shape == (1, 512, 7, 7)
    assert sum(p.numel() for p in backbone.parameters()) == 4_905_792


def test_arguments_of_resnet():
    backbone = ResNet10(base_channels=4, stem_channels=4, out_indices=(1, 3))
    maps = backbone(torch.zeros(2, 3, 32, 32))
    assert [x.size(1) for x in maps] == [8, 32]
