"""Every config is parsed, built and does one small training step."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import HOOKS, METRICS, MODELS, DefaultScope
from mmpretrain.structures import DataSample

import mmlt
from mmlt.class_stats import ClassStats

ROOT = Path(mmlt.__file__).parent / '.mim' / 'configs'
CONFIGS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob('*.py')
    if '_base_' not in path.parts
)


def shrink(model: ConfigDict) -> None:
    """The same model with fewer weights, where a config names the depth."""
    for part in (model.backbone, model.backbone.get('backbone')):
        if part is not None and part.get('depth') == 50:
            part.base_channels = 8
            part.stem_channels = 8
            # Four stages double the width, bottlenecks end four times wider.
            model.head.in_channels = 8 * 2**3 * 4
    if model.head.num_classes > 1000:
        model.head.num_classes = 12


def test_there_are_configs():
    assert len(CONFIGS) > 10


def test_basenames_are_unique():
    """``mim`` finds a bare config name by its basename."""
    names = [Path(config).name for config in CONFIGS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize('config', CONFIGS)
def test_config_does_one_step(config, tmp_path):
    # As a child of it in a user's folder, which must find all its types.
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = ['mmlt::{config}']\n")
    cfg = Config.fromfile(child)
    shrink(cfg.model)
    num_classes = cfg.model.head.num_classes
    grey = cfg.data_preprocessor.mean is None or (
        len(cfg.data_preprocessor.mean) == 1
    )
    size = 28 if grey else 32
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(
            {**cfg.model, 'data_preprocessor': cfg.data_preprocessor}
        )
        hooks = [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]
        for hook in hooks:
            if hook.type.startswith('mmlt.'):
                HOOKS.build(hook)
        for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
            METRICS.build(evaluator)
    stats = ClassStats.single_label([5] * num_classes)
    for module in model.modules():
        if hasattr(module, 'set_class_stats'):
            module.set_class_stats(stats)
    channels = 1 if grey else 3
    images = torch.randint(0, 256, (4, channels, size, size)).byte()
    samples = [DataSample().set_gt_label(k % num_classes) for k in range(4)]
    model.train()
    data = model.data_preprocessor(
        {'inputs': list(images), 'data_samples': samples}, training=True
    )
    loss, logs = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert loss.isfinite()
    assert 'loss' in logs
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(grad is not None for grad in gradients)
    assert cfg.train_cfg.max_epochs > 0
