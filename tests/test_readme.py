"""The configs in README.md are what a user would copy."""

import re
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, METRICS, MODELS, DefaultScope
from PIL import Image

import mmlt  # noqa: F401
from mmlt.class_stats import collect_class_stats

README = Path(__file__).parent.parent / 'README.md'
BLOCKS = re.findall(r'```python\n(.*?)```', README.read_text(), re.DOTALL)


def load(block, folder):
    path = folder / 'my_config.py'
    path.write_text(block)
    return Config.fromfile(path)


def test_all_configs_are_found():
    assert len(BLOCKS) == 3


@pytest.mark.parametrize('block', BLOCKS)
def test_config_builds(block, tmp_path):
    cfg = load(block, tmp_path)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
        METRICS.build(cfg.test_evaluator)
    assert model.head.num_classes == cfg.data_preprocessor.num_classes


def test_folder_per_class(tmp_path, monkeypatch):
    (block,) = (block for block in BLOCKS if 'CustomDataset' in block)
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
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        train = DATASETS.build(cfg.train_dataloader.dataset)
        test = DATASETS.build(cfg.test_dataloader.dataset)
    stats = collect_class_stats(train)
    assert stats.image_count.tolist() == list(counts)
    assert stats.classes[0] == 'class_00'
    assert train[0]['inputs'].shape == (3, 224, 224)
    assert len(test) == sum(counts)
