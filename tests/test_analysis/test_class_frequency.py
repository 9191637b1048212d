"""The frequency curve, and the tools that count training sets."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmlt.analysis import class_frequency
from mmlt.analysis.class_frequency import draw_class_frequency, group_ranges
from mmlt.class_stats import ClassStats

TOOLS = Path(__file__).parents[2] / 'tools'
COUNTS = [500, 101, 100, 20, 19, 0]


@pytest.fixture
def figures(monkeypatch):
    """The figures that are drawn during a test."""
    drawn = []

    class Figure(class_frequency.Figure):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            drawn.append(self)

    monkeypatch.setattr(class_frequency, 'Figure', Figure)
    return drawn


def run(monkeypatch, tool, *arguments):
    path = str(TOOLS / tool)
    monkeypatch.setattr(sys, 'argv', [path, *map(str, arguments)])
    runpy.run_path(path, run_name='__main__')


@pytest.mark.parametrize(
    ('thresholds', 'ranges'),
    [
        ((20, 101), ['< 20', '20 to 100', '> 100']),
        ((10, 11, 50), ['< 10', '10', '11 to 49', '> 49']),
        ([1], ['< 1', '> 0']),
        ([], ['all']),
    ],
)
def test_group_ranges(thresholds, ranges):
    assert group_ranges(thresholds) == ranges


def test_curve(figures, tmp_path):
    path = tmp_path / 'curve.png'
    order = [3, 0, 5, 2, 4, 1]
    stats = ClassStats.single_label(np.array(COUNTS)[order])
    draw_class_frequency(stats, path, (20, 101))
    assert cv2.imread(str(path)).shape[1] > 500
    (axes,) = figures[0].axes
    assert axes.get_xscale() == axes.get_yscale() == 'log'
    points = [group.get_offsets().tolist() for group in axes.collections]
    assert points == [
        [[1, 500], [2, 101]],
        [[3, 100], [4, 20]],
        [[5, 19], [6, 0]],
    ]
    colors = {tuple(group.get_facecolor()[0]) for group in axes.collections}
    assert len(colors) == 3
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [
        '> 100 images: 2 classes',
        '20 to 100 images: 2 classes',
        '< 20 images: 2 classes',
        '(of these, without images: 1)',
    ]


def test_curve_of_instances(figures, tmp_path):
    stats = ClassStats([5, 4], [7, 300], num_images=8)
    draw_class_frequency(stats, tmp_path / 'curve.png', by='instance')
    (axes,) = figures[0].axes
    assert axes.get_ylabel() == 'training instances'
    points = [group.get_offsets().tolist() for group in axes.collections]
    assert points == [[[1, 300]], [[2, 7]]]


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


def test_tool(config, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'new' / 'stats.json'
    figure = tmp_path / 'figures' / 'curve.png'
    run(
        monkeypatch,
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


def test_tool_takes_options(config, tmp_path, monkeypatch):
    out = tmp_path / 'stats.json'
    run(
        monkeypatch,
        'analysis_tools/class_stats.py',
        *(config, '--out', out),
        *('--cfg-options', 'train_dataloader.dataset.dataset.indices=27'),
    )
    assert json.loads(out.read_text())['image_count'] == [25, 2, 0, 0]


def test_tool_without_training_set(tmp_path, monkeypatch):
    path = tmp_path / 'config.py'
    path.write_text("default_scope = 'mmpretrain'\n")
    with pytest.raises(ValueError, match='has no train_dataloader'):
        run(monkeypatch, 'analysis_tools/class_stats.py', path)


def test_tool_checks_thresholds_first(config, tmp_path, monkeypatch):
    out = tmp_path / 'stats.json'
    with pytest.raises(ValueError, match='thresholds must be positive'):
        run(
            monkeypatch,
            'analysis_tools/class_stats.py',
            *(config, '--out', out, '--thresholds', 101, 20),
        )
    assert not out.exists()


def test_benchmark_counts_what_it_generates(monkeypatch, capsys):
    run(
        monkeypatch,
        'benchmarks/class_stats.py',
        *('--images', 40, '--instances', 300, '--polygon-length', 6),
    )
    printed = capsys.readouterr().out
    assert 'counted 40 images, 300 instances' in printed
