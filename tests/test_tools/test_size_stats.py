"""The tool that counts objects by size."""

import json

import cv2
import pytest

TOOL = 'analysis_tools/size_stats.py'
CONFIG = """
default_scope = 'mmdet'
train_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        ann_file={path!r},
        data_prefix=dict(img=''),
        metainfo=dict(classes=['ant', 'bee'])))
"""


@pytest.fixture
def annotations(tmp_path):
    """Three small ants, a large one that is small by its mask, a medium bee
    and a crowd, in three of four images."""
    objects = [
        (1, 1, 10, 50, 0),
        (1, 1, 20, 300, 0),
        (2, 1, 30, 800, 0),
        (2, 1, 100, 900, 0),
        (3, 2, 50, 2000, 0),
        (3, 2, 150, 20000, 1),
    ]
    content = dict(
        categories=[dict(id=1, name='ant'), dict(id=2, name='bee')],
        images=[
            dict(id=k, width=200, height=200, file_name=f'{k}.jpg')
            for k in range(1, 5)
        ],
        annotations=[
            dict(
                id=k,
                image_id=image,
                category_id=category,
                bbox=[0, 0, side, side],
                area=area,
                iscrowd=crowd,
            )
            for k, (image, category, side, area, crowd) in enumerate(objects)
        ],
    )
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(content))
    return path


def rows(printed):
    return [line.split() for line in printed.splitlines() if line[0] == '|']


def test_config(annotations, tmp_path, run_tool, capsys):
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(path=str(annotations)))
    out, figure = tmp_path / 'a' / 'x.json', tmp_path / 'b' / 'x.png'
    run_tool(TOOL, config, '--out', out, '--figure', figure)
    assert json.loads(out.read_text()) == dict(
        bounds=[1024, 9216],
        box_count=[[3, 0, 1], [0, 1, 0]],
        image_count=[2, 1, 1],
        num_images=3,
        classes=['ant', 'bee'],
    )
    assert cv2.imread(str(figure)) is not None
    printed = capsys.readouterr().out
    assert '2 classes, 5 objects in 3 images' in printed
    for line in (
        '| small  | < 32²      |       3 | 60.0% |      2 | 66.7% |',
        '| medium | 32² to 96² |       1 | 20.0% |      1 | 33.3% |',
        '| large  | ≥ 96²      |       1 | 20.0% |      1 | 33.3% |',
        '| ant   |       4 | 75.0% |   0.0% | 25.0% |',
        '| bee   |       1 |  0.0% | 100.0% |  0.0% |',
    ):
        assert line in printed
    # Twice as large in width and height.
    run_tool(TOOL, config, '--out', out, '--scale', 400, 400)
    assert json.loads(out.read_text())['box_count'] == [[1, 2, 1], [0, 0, 1]]


def test_annotations(annotations, tmp_path, run_tool):
    out = ('--out', tmp_path / 'out.json')
    options = (
        '--area',
        'field',
        '--crowds',
        '--bounds',
        100,
        1000,
        '--rows',
        1,
    )
    run_tool(TOOL, annotations, *out, *options)
    content = json.loads(out[1].read_text())
    assert content['box_count'] == [[1, 3, 0], [0, 0, 2]]
    assert content['bounds'] == [100, 1000]


@pytest.mark.parametrize('options', [['--crowds'], ['--area', 'field']])
def test_data_sets_have_boxes_only(run_tool, options):
    with pytest.raises(SystemExit):
        run_tool(TOOL, 'config.py', *options)
