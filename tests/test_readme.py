"""The configs in README.md are what a user would copy."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import METRICS, MODELS, DefaultScope
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from PIL import Image

import mmlt  # noqa: F401
from mmlt.class_stats import collect_class_stats
from mmlt.engine.launch import load_config

README = Path(__file__).parent.parent / 'README.md'
BLOCKS = re.findall(r'```python\n(.*?)```', README.read_text(), re.DOTALL)
SINGLE_PROCESS = {
    f'{stage}_dataloader.{key}': value
    for stage in ('train', 'test')
    for key, value in (('num_workers', 0), ('persistent_workers', False))
}


def load(block, folder):
    path = folder / 'my_config.py'
    path.write_text(block)
    return load_config(str(path))


def test_all_configs_are_found():
    assert len(BLOCKS) == 3


@pytest.mark.parametrize('block', BLOCKS)
def test_config_builds(block, tmp_path):
    cfg = load(block, tmp_path)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
        METRICS.build(cfg.test_evaluator)
    assert model.head.num_classes == cfg.data_preprocessor.num_classes


def test_three_classes_can_be_validated(tmp_path):
    (block,) = (block for block in BLOCKS if 'own_data' in block)
    cfg = load(block.replace('=12', '=3'), tmp_path)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        metric = METRICS.build({**evaluator, 'class_stats': [30, 9, 2]})
        sample = DataSample().set_gt_label(2)
        sample.set_pred_score(torch.tensor([0.1, 0.2, 0.7]))
        metric.process(None, [sample.to_dict()])
        assert metric.evaluate(1)['accuracy/top1'] == 100


def test_folder_per_class(tmp_path, monkeypatch):
    (block,) = (block for block in BLOCKS if 'own_data' in block)
    counts = range(1, 13)
    for split in ('train', 'val'):
        for k, count in enumerate(counts):
            folder = tmp_path / 'data' / 'mine' / split / f'class_{k:02}'
            folder.mkdir(parents=True)
            for i in range(count):
                image = np.full((8, 8, 3), k, dtype=np.uint8)
                Image.fromarray(image).save(folder / f'{i}.png')
    monkeypatch.chdir(tmp_path)
    cfg = load(block, tmp_path)
    cfg.merge_from_dict(SINGLE_PROCESS)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        train = Runner.build_dataloader(cfg.train_dataloader, seed=0)
        test = Runner.build_dataloader(cfg.test_dataloader, seed=0)
    stats = collect_class_stats(train.dataset)
    assert stats.image_count.tolist() == list(counts)
    assert stats.classes[0] == 'class_00'
    assert next(iter(train))['inputs'].shape == (32, 3, 224, 224)
    assert len(train.dataset) == 78
    assert len(test.dataset) == sum(counts)
