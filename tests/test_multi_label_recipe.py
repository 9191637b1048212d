"""The recipe of COCO-MLT and VOC-MLT is that of the published code."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS
from torch import nn

import mmlt
from mmlt.class_stats import ClassStats

CONFIGS = Path(mmlt.__file__).parent / '.mim' / 'configs'
METHODS = ('asl', 'crt', 'db-focal', 'erm', 'ldam-drw', 'logit-adjusted', 'rs')


def config_of(method, data):
    family = 'ml_gcn' if method == 'ml-gcn' else 'db_loss'
    name = f'{method}_resnet50-pfc_8e_{data}-mlt.py'
    return Config.fromfile(CONFIGS / family / name)


@pytest.mark.parametrize('data', ['coco', 'voc'])
@pytest.mark.parametrize('method', [*METHODS, 'ml-gcn'])
def test_settings(method, data):
    cfg = config_of(method, data)
    assert cfg.train_dataloader.drop_last
    assert cfg.val_evaluator.thresholds == 'db_loss'
    assert cfg.val_evaluator.strict
    sets = [cfg.train_dataloader.dataset, cfg.val_dataloader.dataset]
    for dataset in sets:
        dataset = dataset.get('dataset', dataset)
        if data == 'coco':
            assert (dataset.ignore_crowd, dataset.drop_tiny) == (False, True)
        else:
            assert dataset.ignore_difficult is False
    neck = cfg.model.neck
    assert (neck.relu, neck.init_cfg.type) == (False, 'Kaiming')
    loss = cfg.model.head.loss
    assert loss.loss_weight == 1 / cfg.model.head.num_classes


def test_what_trains_of_the_backbone():
    cfg = config_of('erm', 'coco')
    with MODELS.switch_scope_and_registry('mmpretrain') as registry:
        backbone = registry.build({**cfg.model.backbone, 'init_cfg': None})
    backbone.train()
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    frozen = {
        name.partition('.')[0]
        for name, parameter in backbone.named_parameters()
        if not parameter.requires_grad
    }
    assert frozen == {'conv1', 'bn1', 'layer1'}


def test_pipeline():
    """Each of four distortions in half of the images; most of each seen."""
    cfg = config_of('erm', 'voc')
    pipeline = cfg.train_dataloader.dataset.dataset.pipeline
    with DATASETS.switch_scope_and_registry('mmpretrain'):
        dataset = DATASETS.build(
            dict(
                type='mmlt.VOCMLT',
                data_root='nowhere',
                lazy_init=True,
                pipeline=pipeline,
            )
        )
    _, to_pil, *distort, to_numpy, crop, _, _ = dataset.pipeline.transforms
    assert [each.prob for each in distort] == [0.5] * 4
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    # MMCV's transforms draw from the global stream.
    np.random.seed(0)  # noqa: NPY002
    for each in distort:
        seen = [
            to_numpy(each(to_pil(dict(img=image))))['img'] for _ in range(99)
        ]
        same = sum(np.array_equal(other, image) for other in seen)
        assert 30 < same < 70
        assert {other.dtype for other in seen} == {image.dtype}
    assert crop.crop_ratio_range == (0.8, 1.0)
    assert crop(dict(img=image))['img'].shape == (224, 224, 3)


def test_groups_at_the_boundaries():
    """n >= 100, 20 <= n < 100, n < 20."""
    stats = ClassStats([101, 100, 99, 20, 19, 1], None, 400)
    thresholds = config_of('erm', 'coco').val_evaluator.thresholds
    assert stats.groups(thresholds).tolist() == [2, 2, 1, 1, 0, 0]


def test_the_runnable_set_has_its_own_recipe():
    """Its published numbers rest on it."""
    path = CONFIGS / 'db_loss/erm_lite0-pfc_8e_fashion-scenes.py'
    cfg = Config.fromfile(path)
    assert cfg.model.neck == dict(type='mmlt.PFC', in_channels=1280)
    assert 'drop_last' not in cfg.train_dataloader
    assert cfg.val_evaluator == dict(type='mmlt.ShotMultiLabelMAP')
