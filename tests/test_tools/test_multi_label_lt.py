"""tools/dataset_converters/multi_label_lt.py on data in the real formats."""

import json

import pytest

from mmlt.class_stats import collect_class_stats
from mmlt.datasets import COCOMLT, VOCMLT


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('dataset_converters/multi_label_lt.py')


def write_coco(root):
    """90 images of a cat, 30 of which with a dog, 9 with a bird."""
    numbers = {1: 90, 2: 30, 3: 9}
    content = {
        'images': [{'id': k, 'file_name': f'{k}.jpg'} for k in range(90)],
        'annotations': [
            {'image_id': k, 'category_id': category, 'iscrowd': 0}
            for category, number in numbers.items()
            for k in range(number)
        ],
        'categories': [
            {'id': 1, 'name': 'cat'},
            {'id': 2, 'name': 'dog'},
            {'id': 3, 'name': 'bird'},
        ],
    }
    path = root / 'annotations' / 'instances_train2017.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))


def write_voc(root):
    names = {f'2008_{k:06}': 'cat' if k < 8 else 'dog' for k in range(11)}
    (root / 'ImageSets' / 'Main').mkdir(parents=True)
    lines = '\n'.join(names)
    (root / 'ImageSets' / 'Main' / 'trainval.txt').write_text(lines)
    (root / 'Annotations').mkdir()
    for image, name in names.items():
        (root / 'Annotations' / f'{image}.xml').write_text(
            f'<annotation><object><name>{name}</name>'
            '<difficult>0</difficult></object></annotation>'
        )


def test_coco(tool, tmp_path, capsys):
    write_coco(tmp_path)
    counts = ['--max-count', '40', '--min-count', '5', '--seed', '3']
    tool.main(['coco', str(tmp_path), *counts])
    out = tmp_path / 'coco_mlt.json'
    content = json.loads(out.read_text())
    dataset = COCOMLT(
        data_root=str(tmp_path),
        ann_file='annotations/instances_train2017.json',
        ids='coco_mlt.json',
        serialize_data=False,
    )
    stats = collect_class_stats(dataset)
    counted = dict(zip(stats.classes, stats.image_count, strict=True))
    assert content['image_count'] == counted
    assert content['arguments']['seed'] == 3
    assert content['arguments']['power'] == 6
    # 40 / 1.207^6 = 12.9
    assert counted == {'cat': 40, 'dog': 13, 'bird': 5}
    text = capsys.readouterr().out
    assert 'Largest: cat 40, dog 13, bird 5' in text
    assert '40 of 90 images' in text
    assert f'Wrote {out}' in text

    # the same arguments give the same list, another seed another
    again, other = tmp_path / 'again.json', tmp_path / 'lists' / 'other.json'
    tool.main(['coco', str(tmp_path), *counts, '--out', str(again)])
    assert json.loads(again.read_text())['ids'] == content['ids']
    counts[-1] = '4'
    tool.main(['coco', str(tmp_path), *counts, '--out', str(other)])
    assert json.loads(other.read_text())['ids'] != content['ids']


def test_voc(tool, tmp_path):
    write_voc(tmp_path)
    tool.main(['voc', str(tmp_path), '--max-count', '6', '--min-count', '1'])
    dataset = VOCMLT(str(tmp_path), ids='voc_mlt.json', serialize_data=False)
    stats = collect_class_stats(dataset)
    assert stats.image_count[[7, 11]].tolist() == [6, 3]


def test_bad_arguments(tool, tmp_path):
    write_coco(tmp_path)
    with pytest.raises(ValueError, match=r'got 0 and 1128'):
        tool.main(['coco', str(tmp_path), '--min-count', '0'])
    assert not (tmp_path / 'coco_mlt.json').exists()
    with pytest.raises(FileNotFoundError, match=r'nowhere/annotations'):
        tool.main(['coco', str(tmp_path / 'nowhere')])
