"""tools/analysis_tools/per_class_ap.py on three classes."""

import csv
import json
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/per_class_ap.py')


@pytest.fixture
def ann_file(tmp_path):
    """One image with a dog and a cat; no bird anywhere."""
    box = {'image_id': 1, 'bbox': [10, 10, 40, 40], 'area': 1600}
    path = tmp_path / 'annotations.json'
    categories = [
        (9, 'dog', 'r', 5),
        (4, 'cat', 'f', 800),
        (6, 'bird', 'c', 20),
    ]
    path.write_text(
        json.dumps(
            {
                'images': [
                    {
                        'id': 1,
                        'height': 100,
                        'width': 100,
                        'neg_category_ids': [6],
                        'not_exhaustive_category_ids': [],
                    }
                ],
                'annotations': [
                    {'id': 1, 'category_id': 9, **box},
                    {'id': 2, 'category_id': 4, **box},
                ],
                'categories': [
                    {
                        'id': index,
                        'name': name,
                        'frequency': group,
                        'image_count': count,
                    }
                    for index, name, group, count in categories
                ],
            }
        )
    )
    return str(path)


def predictions(path, categories, image=1):
    entries = [
        {
            'image_id': image,
            'category_id': category,
            'bbox': [10, 10, 40, 40],
            'score': 0.5,
        }
        for category in categories
    ]
    path.write_text(json.dumps(entries))
    return str(path)


def run(tool, ann_file, out, runs, *options):
    """Call the tool; runs: name -> predictions."""
    argv = ['--ann-file', ann_file, '--out', str(out), *options]
    for name, path in runs.items():
        argv += ['--predictions', name, path]
    tool.main(argv)


def test_two_runs(tool, ann_file, tmp_path, capsys):
    out = tmp_path / 'out'
    runs = {
        'base': predictions(tmp_path / 'a.json', [4]),
        'bags': predictions(tmp_path / 'b.json', [9, 4]),
    }
    run(tool, ann_file, out, runs)
    with open(out / 'per_class_ap.csv') as file:
        assert list(csv.reader(file)) == [
            ['class', 'group', 'training images', 'base', 'bags'],
            ['cat', 'f', '800', '100.00', '100.00'],
            ['bird', 'c', '20', 'nan', 'nan'],
            ['dog', 'r', '5', '0.00', '100.00'],
        ]
    assert (out / 'per_class_ap.png').stat().st_size > 5000
    text = capsys.readouterr().out
    assert 'base: AP 50.00 r 0.00 c nan f 100.00' in text
    assert 'bags: AP 100.00 r 100.00 c nan f 100.00' in text


def test_given_statistics_must_fit(tool, ann_file, tmp_path):
    stats = tmp_path / 'stats.json'
    stats.write_text(json.dumps({'image_count': [3, 2]}))
    runs = {'a': predictions(tmp_path / 'a.json', [4])}
    with pytest.raises(ValueError, match=r'2 classes, but .* 3 categories'):
        run(tool, ann_file, tmp_path, runs, '--class-stats', str(stats))


def test_predictions_of_another_split(tool, ann_file, tmp_path):
    runs = {'a': predictions(tmp_path / 'a.json', [4], image=77)}
    with pytest.raises(ValueError, match='has no image 77'):
        run(tool, ann_file, tmp_path, runs)


@pytest.mark.parametrize('text', ['{', '[{"image_id": 1}]', '{"a": 1}'])
def test_damaged_predictions(tool, tmp_path, text):
    path = tmp_path / 'a.json'
    path.write_text(text)
    with pytest.raises(ValueError, match='holds no bbox detections'):
        tool.read_predictions(str(path), 'bbox')


def test_masks_are_asked_for(tool, tmp_path):
    path = predictions(tmp_path / 'a.json', [4])
    with pytest.raises(ValueError, match='holds no segm detections'):
        tool.read_predictions(path, 'segm')


def test_run_of_a_checkpoint(tool, ann_file, tmp_path, monkeypatch):
    configs = []

    class Runner:
        """Writes what a detector would have found."""

        def __init__(self, cfg):
            configs.append(cfg)

        def test(self):
            prefix = configs[0].test_evaluator.outfile_prefix
            predictions(Path(f'{prefix}.bbox.json'), [9])

    monkeypatch.setattr(tool, 'build_runner', Runner)
    config, checkpoint = tmp_path / 'config.py', tmp_path / 'epoch_12.pth'
    config.write_text("default_scope = 'mmdet'\n")
    torch.save(dict(state_dict={}), checkpoint)
    out = tmp_path / 'out'
    (out / 'bags').mkdir(parents=True)
    named = '--run', 'bags', str(config), str(checkpoint)
    run(tool, ann_file, out, {}, *named)
    assert configs[0].load_from == str(checkpoint)
    assert configs[0].work_dir == str(out / 'bags')
    with open(out / 'per_class_ap.csv') as file:
        assert list(csv.reader(file))[-1] == ['dog', 'r', '5', '100.00']


def test_text_as_checkpoint(tool, ann_file, tmp_path):
    config, checkpoint = tmp_path / 'config.py', tmp_path / 'epoch_12.pth'
    config.write_text("default_scope = 'mmdet'\n")
    checkpoint.write_text('elsewhere')
    named = '--run', 'bags', str(config), str(checkpoint)
    with pytest.raises(ValueError, match=r'epoch_12\.pth. is no file of'):
        run(tool, ann_file, tmp_path / 'out', {}, *named)


def test_nothing_to_compare(tool, ann_file, capsys):
    with pytest.raises(SystemExit):
        tool.main(['--ann-file', ann_file])
    assert 'nothing to compare' in capsys.readouterr().err
