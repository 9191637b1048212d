"""The tools that count training sets."""

import json

import cv2
import numpy as np
import pytest

CONFIG = """
default_scope = 'mmpretrain'
train_dataloader = dict(
    dataset=dict(
        type='RepeatDataset',
        times=3,
        dataset=dict(
            type='CustomDataset',
            data_prefix={folder!r},
            metainfo=dict(classes=['ant', 'bee', 'cat', 'dog']))))
"""


@pytest.fixture
def config(tmp_path):
    """Of a folder with 25 ants, 4 bees and a cat, but no dog."""
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    counts = {'ant': 25, 'bee': 4, 'cat': 1, 'dog': 0}
    for name, count in counts.items():
        folder = tmp_path / 'images' / name
        folder.mkdir(parents=True)
        for index in range(count):
            cv2.imwrite(str(folder / f'{index}.png'), image)
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.format(folder=str(tmp_path / 'images')))
    return path


def test_tool(config, tmp_path, run_tool, capsys):
    out = tmp_path / 'new' / 'stats.json'
    figure = tmp_path / 'figures' / 'curve.png'
    run_tool(
        'analysis_tools/class_stats.py',
        *(config, '--out', out, '--figure', figure, '--thresholds', 2, 20),
    )
    assert json.loads(out.read_text()) == {
        'num_images': 30,
        'classes': ['ant', 'bee', 'cat', 'dog'],
        'image_count': [25, 4, 1, 0],
        'instance_count': [25, 4, 1, 0],
    }
    assert cv2.imread(str(figure)) is not None
    printed = capsys.readouterr().out
    for line in (
        '4 classes, 30 images, 0 to 25 images a class',
        'Gini coefficient: 0.650',  # (3 * 25 + 4 - 1) / (4 * 30)
        'Imbalance factor: inf',
        'Classes without images: 1 (dog)',
        '| > 19           |       1 |     25 | 83.3% |',
        '| 2 to 19        |       1 |      4 | 13.3% |',
        '| < 2            |       2 |      1 |  3.3% |',
    ):
        assert line in printed


def test_tool_takes_options(config, tmp_path, run_tool):
    out = tmp_path / 'stats.json'
    run_tool(
        'analysis_tools/class_stats.py',
        *(config, '--out', out),
        *('--cfg-options', 'train_dataloader.dataset.dataset.indices=27'),
    )
    assert json.loads(out.read_text())['image_count'] == [25, 2, 0, 0]


def test_tool_without_training_set(tmp_path, run_tool):
    path = tmp_path / 'config.py'
    path.write_text("default_scope = 'mmpretrain'\n")
    with pytest.raises(ValueError, match='has no train_dataloader'):
        run_tool('analysis_tools/class_stats.py', path)


def test_tool_checks_thresholds_first(config, tmp_path, run_tool):
    out = tmp_path / 'stats.json'
    with pytest.raises(ValueError, match='thresholds must be positive'):
        run_tool(
            'analysis_tools/class_stats.py',
            *(config, '--out', out, '--thresholds', 101, 20),
        )
    assert not out.exists()


@pytest.mark.parametrize('options', [[], ['--sizes']])
def test_benchmark_counts_what_it_generates(run_tool, capsys, options):
    run_tool(
        'benchmarks/count_classes.py',
        *('--images', 40, '--instances', 800, '--polygon-length', 6),
        *options,
    )
    printed = capsys.readouterr().out
    assert 'counted 40 images, 800 instances' in printed
