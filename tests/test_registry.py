"""Types of other libraries under the scope ``mmlt``."""

import mmcv.transforms
import mmdet.datasets.transforms
import mmdet.models
import mmengine.registry
import mmpretrain.datasets.transforms
import mmpretrain.models
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.registry import TRANSFORMS as MMDET_TRANSFORMS
from mmengine.config import Config
from mmengine.registry import (
    DATASETS,
    MODELS,
    TRANSFORMS,
    DefaultScope,
)
from mmengine.runner import Runner
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from PIL import Image

import mmlt.registry
from mmlt.models import PFC

ROOTS = {
    name: registry
    for name, registry in vars(mmengine.registry).items()
    if isinstance(registry, mmengine.registry.Registry)
}


def build(registry, cfg, library):
    """Build it as a part of a config that a run of `library` inherits."""
    with DefaultScope.overwrite_default_scope(library):
        return registry.build(dict(cfg, _scope_='mmlt'))


@pytest.mark.parametrize(
    ('name', 'library', 'module'),
    [
        ('RandomCrop', 'mmpretrain', mmpretrain.datasets.transforms),
        ('RandomCrop', 'mmdet', mmdet.datasets.transforms),
        ('RandomFlip', 'mmpretrain', mmcv.transforms),
        ('RandomFlip', 'mmdet', mmdet.datasets.transforms),
        ('PackInputs', None, mmpretrain.datasets.transforms),
        ('PackInputs', 'mmdet', mmpretrain.datasets.transforms),
        ('PackDetInputs', None, mmdet.datasets.transforms),
        ('PackDetInputs', 'mmpretrain', mmdet.datasets.transforms),
    ],
)
def test_transform_is_that_of_the_library_around(name, library, module):
    sizes = {'crop_size': 8} if name == 'RandomCrop' else {}
    sizes |= {'prob': 0.5} if name == 'RandomFlip' else {}
    if sizes == {'crop_size': 8} and library == 'mmdet':
        sizes = {'crop_size': (8, 8)}
    transform = build(TRANSFORMS, dict(type=name, **sizes), library)
    assert type(transform) is getattr(module, name)


@pytest.mark.parametrize('library', ['mmpretrain', 'mmdet'])
def test_backbone_is_that_of_the_library_around(library):
    backbone = build(MODELS, dict(type='ResNet', depth=18), library)
    models = {'mmpretrain': mmpretrain.models, 'mmdet': mmdet.models}[library]
    assert type(backbone) is models.ResNet


def test_innermost_library_comes_first():
    with DefaultScope.overwrite_default_scope('mmdet'):
        found = build(MODELS, dict(type='ResNet', depth=18), 'mmpretrain')
    assert type(found) is mmpretrain.models.ResNet


def test_types_of_mmlt_come_before_those_of_the_libraries():
    with DefaultScope.overwrite_default_scope('mmdet'):
        seesaw = mmlt.registry.MODELS.get('SeesawLoss')
    assert seesaw.__module__.startswith('mmlt.')
    assert MMDET_MODELS.get('SeesawLoss').__module__.startswith('mmdet.')


def test_names_of_modules_and_of_other_scopes():
    get = mmlt.registry.MODELS.get
    assert get('torch.nn.Identity') is torch.nn.Identity
    assert get('mmdet.ResNet') is mmdet.models.ResNet
    assert get('mmpretrain.ResNet') is mmpretrain.models.ResNet
    assert get('mmlt.PFC') is get('PFC') is PFC


@pytest.mark.parametrize(
    'registry', [MODELS, MMPRETRAIN_MODELS, MMDET_MODELS, mmlt.registry.MODELS]
)
@pytest.mark.parametrize('library', [None, 'mmpretrain', 'mmdet', 'mmlt'])
def test_mmlt_is_found_from_everywhere(registry, library):
    with DefaultScope.overwrite_default_scope(library):
        assert (
            type(registry.build(dict(type='mmlt.PFC', in_channels=8))) is PFC
        )


@pytest.mark.parametrize('registry', [MODELS, MMDET_MODELS])
def test_typing_error_names_near_matches(registry):
    with pytest.raises(
        KeyError, match=r"similar names: \['LogitAdjustedLoss'"
    ):
        registry.build(dict(type='mmlt.LogitAdjustdLoss'))


def test_near_matches_of_the_libraries():
    with pytest.raises(KeyError, match="'PackDetInputs'"):
        build(TRANSFORMS, dict(type='PackDetInput'), 'mmdet')


def test_contains_does_not_raise():
    assert 'LogitAdjustedLoss' in mmlt.registry.MODELS
    assert 'mmlt.LogitAdjustedLoss' in mmlt.registry.MODELS
    assert 'RandomCrop' in mmlt.registry.TRANSFORMS
    assert 'X' not in mmlt.registry.MODELS
    assert 'mmlt.X' not in mmlt.registry.MODELS


@pytest.mark.parametrize('name', ROOTS)
def test_every_root_registry_has_the_scope(name):
    """Else MMEngine warns, and takes the root in the place of the library."""
    with ROOTS[name].switch_scope_and_registry('mmlt') as registry:
        assert registry.scope == 'mmlt'
        assert registry.parent is ROOTS[name]


def load(folder, text):
    path = folder / 'my_config.py'
    path.write_text(text)
    return Config.fromfile(path)


@pytest.mark.parametrize(
    ('base', 'size'),
    [
        ('ce_resnet32_200e_cifar10-lt-if100', (3, 32, 32)),
        ('ce_resnet14-small_4e_fashion-mnist-lt-if100', (1, 28, 28)),
    ],
)
def test_pipeline_of_a_classifier_is_reused(base, size, tmp_path):
    cfg = load(
        tmp_path,
        f"""_base_ = [__import__('mmlt') and 'mmlt::baselines/{base}.py']
train_pipeline = [
    _base_.train_pipeline[0],
    dict(type='Invert'),
    *_base_.train_pipeline[1:],
]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
""",
    )
    dataset = cfg.train_dataloader.dataset
    with (
        DefaultScope.overwrite_default_scope(cfg.default_scope),
        DATASETS.switch_scope_and_registry(dataset._scope_),
    ):
        inner = DATASETS.build({**dataset.dataset, 'lazy_init': True})
    image = np.zeros((*size[1:], size[0]), np.uint8)
    sample = inner.pipeline({'img': image, 'gt_label': 3})
    assert sample['inputs'].shape == size
    assert sample['data_samples'].gt_label.tolist() == [3]
    names = [type(step).__name__ for step in inner.pipeline.transforms]
    assert names == ['RandomCrop', 'Invert', 'RandomFlip', 'PackInputs']


def test_pipeline_of_a_detector_is_reused(tmp_path):
    base = 'baselines/faster-rcnn_r18-small_fpn_12e_fashion-scenes.py'
    cfg = load(
        tmp_path,
        f"""_base_ = [__import__('mmlt') and 'mmlt::{base}']
train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type='RandomCrop', crop_size=(32, 32)),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
""",
    )
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        dataset = DATASETS.build(
            {**cfg.train_dataloader.dataset, 'lazy_init': True}
        )
    path = tmp_path / '1.png'
    Image.fromarray(np.zeros((48, 48, 3), np.uint8)).save(path)
    box = dict(bbox=[0, 0, 48, 48], bbox_label=2, ignore_flag=0)
    sample = dataset.pipeline(
        dict(img_path=str(path), img_id=1, instances=[box])
    )
    assert sample['inputs'].shape == (3, 32, 32)
    assert sample['data_samples'].gt_instances.labels.tolist() == [2]
    flip = dataset.pipeline.transforms[2]
    assert type(flip) is MMDET_TRANSFORMS.get('RandomFlip')


def test_run_of_an_inherited_config(tmp_path, write_idx):
    for split in ('train', 'test'):
        write_idx(tmp_path, split, np.tile(np.arange(10), 4))
    base = 'baselines/ce_resnet14-small_4e_fashion-mnist-lt-if100.py'
    cfg = load(tmp_path, f"_base_ = ['mmlt::{base}']\n")
    for loader in (
        cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader
    ):  # fmt: skip
        loader.update(num_workers=0, persistent_workers=False)
        dataset = loader.dataset
        dataset.get('dataset', dataset).data_root = str(tmp_path)
    cfg.train_dataloader.dataset.imbalance_factor = 4
    cfg.train_cfg.update(max_epochs=2, val_interval=2)
    cfg.work_dir = str(tmp_path / 'work_dir')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert isinstance(runner.optim_wrapper.optimizer, torch.optim.SGD)
    log = (tmp_path / 'work_dir').rglob('*.log')
    assert 'Failed to search registry' not in next(log).read_text()
