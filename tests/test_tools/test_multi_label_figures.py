"""The tools that draw figures of multi-label data and losses."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

import mmlt
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

CONFIGS = Path(mmlt.__file__).parent / '.mim' / 'configs' / 'db_loss'
ERM = str(CONFIGS / 'erm_lite0-pfc_8e_fashion-scenes.py')
DB = str(CONFIGS / 'db-focal_lite0-pfc_8e_fashion-scenes.py')
# Classes of 60 to 1 training images; image i has the labels 0 to 59 - i.
NUM_CLASSES = 60


@pytest.fixture
def load(load_tool):
    return lambda name: load_tool(f'analysis_tools/{name}.py')


def read(path):
    with open(path, newline='') as file:
        return list(csv.reader(file))


def test_negative_gradients(load, tmp_path, capsys):
    out = tmp_path / 'new' / 'gradients.png'
    load('negative_gradients').main(
        ['--scales', '3', '--positives', '1', '--out', str(out)]
    )
    assert out.stat().st_size > 5000
    assert str(out) in capsys.readouterr().out


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Fashion-Scenes of 60 images of features, where the configs look."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / 'data' / 'fashion_scenes_multi_label'
    (folder / 'annotations').mkdir(parents=True)
    for split in ('train', 'val'):
        names = [f'{split}/{k}.jpg' for k in range(NUM_CLASSES)]
        images = [
            dict(id=k, file_name=name, height=1, width=1)
            for k, name in enumerate(names)
        ]
        labels = [
            dict(image_id=i, category_id=k)
            for i in range(NUM_CLASSES)
            for k in range(NUM_CLASSES - i)
        ]
        annotations = [
            dict(id=n, bbox=[0, 0, 1, 1], area=1, iscrowd=0, **label)
            for n, label in enumerate(labels)
        ]
        categories = [
            dict(id=k, name=f'class {k}') for k in range(NUM_CLASSES)
        ]
        path = folder / 'annotations' / f'fashion_scenes_{split}.json'
        path.write_text(
            json.dumps(
                dict(
                    images=images,
                    annotations=annotations,
                    categories=categories,
                )
            )
        )
        rng = np.random.default_rng(0)
        np.savez(
            folder / f'features_{split}.npz',
            names=np.array([Path(name).name for name in names]),
            features=rng.standard_normal((NUM_CLASSES, 1280)),
        )
    return tmp_path


def test_gradient_ratio_of_the_labels_alone(load, data, capsys):
    """An epoch without a sampler: class k has 60 - k of 60 images."""
    load('gradient_ratio').main(
        [ERM, '--csv', 'new/ratios.csv', '--thresholds', '3', '59']
    )
    head, *rows = read('new/ratios.csv')
    assert head == ['class', 'group', 'training images', 'ratio']
    counts = [int(row[2]) for row in rows]
    assert counts == list(range(60, 0, -1))
    ratios = [float(row[3]) for row in rows]
    expected = [(60 - n) / n for n in counts]
    assert ratios == pytest.approx(expected, abs=0.006)
    # the means of (29, 59) and of (0, 1 / 59)
    printed = capsys.readouterr().out
    assert re.search(r'head: 0\.01\n  medium: .*\n  tail: 44\.00', printed)


def test_gradient_ratio_of_a_run(load, data, capsys):
    """All logits are 1; the gradients are sigmoid(1) and 1 - sigmoid(1)."""
    state = MODELS.build(Config.fromfile(ERM).model).state_dict()
    state['head.fc.weight'].zero_()
    state['head.fc.bias'].fill_(1.0)
    torch.save({'state_dict': state}, 'erm.pth')
    load('gradient_ratio').main([ERM, 'erm.pth', '--csv', 'ratios.csv'])
    ratios = [float(row[3]) for row in read('ratios.csv')[1:]]
    expected = [np.e * (60 - n) / n for n in range(60, 0, -1)]
    assert ratios == pytest.approx(expected, abs=0.006)


def test_sampling_probability(load, data, capsys):
    load('sampling_probability').main(
        [ERM, '--out', 'new/p.png', '--csv', 'new/p.csv']
    )
    assert (data / 'new' / 'p.png').stat().st_size > 5000
    header, first, *_, last = read(data / 'new' / 'p.csv')
    assert header == ['class', 'images', 'without', 'expected', 'real']
    assert first[:2] == ['class 0', '60']
    # Class 0 is in each image, and class 59 in one: for each of its labels.
    expected = [1, 1 / 60, 1]
    np.testing.assert_allclose([float(x) for x in first[2:]], expected)
    assert last[:2] == ['class 59', '1']
    harmonic = sum(1 / n for n in range(1, 61))
    expected = [1 / 60, 1 / 60, harmonic / 60]
    np.testing.assert_allclose([float(x) for x in last[2:]], expected)
    printed = capsys.readouterr().out
    # 20 of 60 classes, the rarest among them
    assert len(re.findall(r'class \d+ \|', printed)) == 20
    assert f'|     1.67 |  {100 * harmonic / 60:.2f} |' in printed
    assert 'A draw brings' in printed


def test_sampling_probability_counts_classes_without_images(
    load, data, capsys
):
    indices = 'train_dataloader.dataset.indices=[30,31]'
    load('sampling_probability').main([ERM, '--cfg-options', indices])
    assert 'Without images: 30 classes' in capsys.readouterr().out
    assert (data / 'sampling_probability.png').is_file()


def write_logits(path, logits, labels):
    torch.save(
        dict(
            logits=torch.tensor(logits),
            labels=torch.tensor(labels, dtype=torch.int8),
            sample_idx=torch.arange(len(labels)),
            split='test',
        ),
        path,
    )


@pytest.fixture
def logits(tmp_path, monkeypatch):
    """Two runs on three images and three classes, the last in no image."""
    monkeypatch.chdir(tmp_path)
    labels = [[1, 1, 0], [0, 1, -1], [-1, 0, 0]]
    bad = [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [2.0, 2.0, 0.0]]
    good = [[1.0, 2.0, 0.0], [0.0, 1.0, 0.0], [9.0, 0.0, 0.0]]
    write_logits('bad.pt', bad, labels)
    write_logits('good.pt', good, labels)
    stats = ClassStats([7, 300, 50], num_images=400, classes=['a', 'b', 'c'])
    stats.to_json('stats.json')
    return tmp_path


@pytest.fixture
def gain(load):
    """Compare two runs, in the working folder."""

    def gain(
        base=('old', 'bad.pt'), run=('new', 'good.pt'), stats='stats.json'
    ):
        arguments = ['--base', *base, '--run', *run]
        if stats is not None:
            arguments += ['--class-stats', stats]
        load('per_class_gain').main([*arguments, '--out', 'out'])

    return gain


def test_gain_of_two_files(gain, logits, capsys):
    gain()
    # Class a: rank 2 of 2; b: ranks 2 and 3 of 3, (1 / 2 + 2 / 3) / 2.
    assert read(logits / 'out' / 'per_class_gain.csv') == [
        ['class', 'group', 'training images', 'old', 'new', 'gain'],
        ['b', 'head', '300', '58.33', '100.00', '41.67'],
        ['c', 'medium', '50', 'nan', 'nan', 'nan'],
        ['a', 'tail', '7', '50.00', '100.00', '50.00'],
    ]
    assert (logits / 'out' / 'per_class_gain.png').stat().st_size > 5000
    printed = capsys.readouterr().out
    assert 'old: mAP 54.17 head 58.33 medium nan tail 50.00' in printed
    assert 'new: mAP 100.00 head 100.00' in printed
    assert 'gain: mAP 45.83 head 41.67 medium nan tail 50.00' in printed
    assert 'Without positives in the test set: 1 classes' in printed


def test_gain_of_two_checkpoints(gain, data):
    """The class statistics are those in the checkpoints."""
    stats = ClassStats(range(60, 0, -1), num_images=60).to_dict()
    for index, config in enumerate((ERM, DB)):
        torch.manual_seed(index)
        model = MODELS.build(Config.fromfile(config).model)
        meta = dict(class_stats=stats)
        checkpoint = dict(state_dict=model.state_dict(), meta=meta)
        torch.save(checkpoint, f'{index}.pth')
    gain(('ERM', ERM, '0.pth'), ('DB-Focal', DB, '1.pth'), stats=None)
    header, *rows = read(data / 'out' / 'per_class_gain.csv')
    assert header[-3:] == ['ERM', 'DB-Focal', 'gain']
    assert [row[1] for row in rows] == ['medium'] * 41 + ['tail'] * 19
    values = np.array([row[3:] for row in rows], dtype=float)
    np.testing.assert_allclose(
        values[:, 1] - values[:, 0], values[:, 2], atol=0.011
    )
    assert abs(values[:, 2]).max() > 1
    # class 0 is in every image
    assert rows[0][3:] == ['100.00', '100.00', '0.00']
    # The same from the logits that were written.
    files = [f'out/{name}/logits.pt' for name in header[-3:-1]]
    gain(('ERM', files[0]), ('DB-Focal', files[1]), stats='0.pth')
    assert read(data / 'out' / 'per_class_gain.csv') == [header, *rows]


def test_gain_needs_training_counts(gain, logits):
    with pytest.raises(ValueError, match='class_stats: logits do not tell'):
        gain(stats=None)
    ClassStats([7, 300], num_images=400).to_json('stats.json')
    with pytest.raises(ValueError, match='2 classes, but the logits have 3'):
        gain()


def test_gain_of_checkpoints_of_different_data(gain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index in (0, 1):
        stats = ClassStats([60, 1 + index], num_images=60).to_dict()
        torch.save(dict(meta=dict(class_stats=stats)), f'{index}.pth')
    with pytest.raises(ValueError, match='trained on different data'):
        gain(('ERM', ERM, '0.pth'), ('DB-Focal', DB, '1.pth'), stats=None)


def test_gain_of_text_as_checkpoint(gain, logits):
    Path('1.pth').write_text('elsewhere')
    with pytest.raises(ValueError, match=r'1\.pth. is no file of'):
        gain(run=('DB-Focal', DB, '1.pth'))


def test_gain_of_what_does_not_fit(gain, logits, capsys):
    write_logits('other.pt', [[0.0] * 3] * 2, [[1, 0, 0], [1, 1, 1]])
    with pytest.raises(ValueError, match='base and run differ in sample_idx'):
        gain(run=('new', 'other.pt'))
    write_logits('other.pt', [[0.0] * 3] * 3, [[1, 0, 0]] * 3)
    with pytest.raises(ValueError, match='base and run differ in labels'):
        gain(run=('new', 'other.pt'))
    write_logits('other.pt', [[0.0] * 3] * 3, [0, 1, 2])
    with pytest.raises(ValueError, match=r"'other\.pt'.*--multi-label"):
        gain(run=('new', 'other.pt'))
    with pytest.raises(SystemExit):
        gain(run=('new',))
    assert 'got 1 words' in capsys.readouterr().err
    assert not (logits / 'out').exists()


def test_co_occurrence(load, data, capsys):
    load('co_occurrence').main(
        [ERM, '--out', 'new/c.png', '--csv', 'new/c.csv', '--factor', '30']
    )
    assert (data / 'new' / 'c.png').stat().st_size > 5000
    header, first, *_, last = read(data / 'new' / 'c.csv')
    assert header == [
        'class', 'images', 'alone', 'companions', 'ratio', 'least'
    ]  # fmt: skip
    # Image i has the classes 0 to 59 - i: class 0 is in all of 60.
    expected = [60, 1 / 60, 29.5, 60, 1]
    np.testing.assert_allclose([float(x) for x in first[1:]], expected)
    harmonic = sum(1 / n for n in range(1, 61))
    expected = [1, 0, 59, harmonic, 1]
    np.testing.assert_allclose([float(x) for x in last[1:]], expected)
    printed = capsys.readouterr().out
    assert 'An image has 30.50 of 60 classes' in printed
    assert 'class 0: 60.00 times (60 images' in printed
    assert 'No sampling balances 0 of 60 classes' in printed


@pytest.mark.parametrize('factor', ['0', '-1', 'nan'])
def test_co_occurrence_bad_factor(load, factor):
    with pytest.raises(ValueError, match='--factor must be finite'):
        load('co_occurrence').main([ERM, '--factor', factor])
