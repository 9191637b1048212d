"""The curve of tau of a detector, on boxes that were held out."""

import json

import pytest
import torch

pytest.importorskip('mmdet')

from mmlt.analysis.report.page import draw_figures, plain
from mmlt.analysis.report.run_numbers import BOX_TAUS, describe_run
from mmlt.analysis.report.runs import find_run
from mmlt.class_stats import ClassStats

CLASSES = ('ant', 'bee')
# Of the background there are 1 in 10; of 99 ants to a bee, tau = 1 adds
# log 99 to what a bee has over an ant.
STATS = ClassStats([99, 1], [99, 1], classes=CLASSES)
BOXES = torch.tensor([[0.0, 0, 10, 10], [50, 50, 70, 70]])


def annotations(**image):
    """An ant and a bee in each of two images, one of which is held out."""
    corners = BOXES.tolist()
    return dict(
        images=[dict(id=k, width=99, height=99, **image) for k in (1, 2)],
        categories=[
            dict(id=k, name=name, frequency=f)
            for k, name, f in ((1, 'ant', 'f'), (2, 'bee', 'r'))
        ],
        annotations=[
            dict(
                id=2 * image + k,
                image_id=image,
                category_id=k,
                bbox=[x, y, u - x, v - y],
                area=(u - x) * (v - y),
            )
            for image in (1, 2)
            for k, (x, y, u, v) in enumerate(corners, 1)
        ],
    )


@pytest.fixture
def files(tmp_path):
    """The detector finds both, but takes the bee for an ant, by 0.7."""
    share = torch.tensor([[0.89, 0.01, 0.1], [0.7, 0.2, 0.1]])
    rows, labels = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1]])
    image = dict(
        img_id=1,
        ori_shape=(99, 99),
        logits=share.log().half(),
        rows=rows,
        labels=labels,
        boxes=BOXES[rows],
    )
    dump = dict(
        images=[image],
        split='train',
        classes=list(CLASSES),
        applied=[],
        test_cfg=dict(
            score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5),
            max_per_img=2,
        ),
    )  # fmt: skip
    truth = tmp_path / 'truth.json'
    more = dict(neg_category_ids=[1], not_exhaustive_category_ids=[])
    truth.write_text(json.dumps(annotations(**more)))

    def write(**changes):
        torch.save({**dump, **changes}, tmp_path / 'boxes.pt')
        return tmp_path / 'boxes.pt', truth

    return write


def describe(path, truth, task='detection'):
    return describe_run(
        find_run(str(path)),
        task,
        STATS,
        (20,),
        ('few', 'many'),
        'config.py',
        train_ann_file=truth and str(truth),
    )


def test_curve_of_tau(files):
    facts = describe(*files())
    sweep = plain(facts['tau'])
    assert sweep['tau'] == BOX_TAUS.tolist()
    # Two boxes are kept of an image: both ants, until the bee is found.
    assert sweep['APr'][0] == 0
    assert sweep['APr'][-1] > 99
    assert sweep['best_tau'] > 0
    assert [each.split(':')[0] for each in facts['missing']] == [
        'norms of the classifier',
        'scores and confusion',
    ]
    page = dict(runs=[facts], thresholds=(20,))
    assert 'held-out box AP' in draw_figures(page, STATS)['tau of boxes']


def test_what_a_curve_needs(files):
    path, truth = files()
    assert 'has no ann_file' in describe(path, None)['missing'][-1]
    truth.write_text(json.dumps(annotations()))
    (lacking,) = (
        each
        for each in describe(path, truth)['missing']
        if each.startswith('the curve of tau')
    )
    assert f'{str(truth)!r} lacks what the LVIS protocol needs' in lacking
    with pytest.raises(ValueError, match='holds logits of boxes'):
        describe(path, truth, 'single-label')
    path, _ = files(split='test')
    with pytest.raises(ValueError, match='not of held-out images'):
        find_run(str(path))


def test_held_out_images_are_no_boxes(files, tmp_path):
    path, truth = files()
    logits = torch.zeros(3, 2)
    content = dict(logits=logits, labels=torch.tensor([0, 1, 1]))
    torch.save({**content, 'split': 'train'}, path)
    with pytest.raises(ValueError, match='holds logits of images'):
        describe(path, truth)
