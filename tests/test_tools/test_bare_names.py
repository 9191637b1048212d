"""Tools find mmlt's configs by their bare names, as ``mim train`` does."""

import json
from pathlib import Path

import pytest

from mmlt.engine.launch import load_config, read_config

NAME = 'ce_resnet14-small_4e_fashion-mnist-lt-if100.py'


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_counts(run_tool, write_idx, tmp_path):
    data = tmp_path / 'data' / 'fashion_mnist'
    for split in ('train', 'test'):
        write_idx(data, split, [k % 10 for k in range(100)])
    options = ('--cfg-options', 'train_dataloader.dataset.imbalance_factor=5')
    run_tool('analysis_tools/class_stats.py', NAME, *options)
    stats = json.loads(Path('class_stats.json').read_text())
    assert stats['image_count'][::9] == [10, 2]


def test_prints(run_tool, capsys):
    run_tool('analysis_tools/print_config.py', NAME)
    assert "type='mmlt.LongTailedDataset'" in capsys.readouterr().out


def test_a_file_comes_first():
    Path(NAME).write_text('x = 1\n')
    assert read_config(NAME).x == 1
    assert Path(load_config(NAME).work_dir) == Path('work_dirs', NAME[:-3])


@pytest.mark.parametrize('name', [NAME[:-4], 'no.py', 'imagenet_lt.py', ''])
def test_unknown_names(name):
    with pytest.raises(FileNotFoundError, match=f'config: no file .{name}.,'):
        read_config(name)
