"""Predictions that are no numbers score in no metric."""

import pytest
import torch

from mmlt.evaluation.metrics import (
    DumpLogits,
    LVISMetric,
    ShotAccuracy,
    ShotMultiLabelMAP,
)
from mmlt.evaluation.metrics.samples import check_predictions

STATS = [500, 50, 5]
MULTI = dict(image_count=STATS, num_images=510)
BAD = pytest.mark.parametrize('bad', ['nan', 'inf', '-inf'])


def classified(*values):
    """A sample of label 0 for each first score."""
    return [
        dict(
            pred_score=torch.tensor([float(value), 0.25, 0.25]),
            gt_label=torch.tensor([0]),
            sample_idx=index,
        )
        for index, value in enumerate(values)
    ]


@BAD
@pytest.mark.parametrize(
    'make',
    [
        lambda path: ShotAccuracy(class_stats=STATS),
        lambda path: ShotMultiLabelMAP(class_stats=MULTI),
        lambda path: DumpLogits(str(path / 'x.pt'), 'val'),
        lambda path: DumpLogits(str(path / 'x.pt'), 'val', multi_label=True),
    ],
)
def test_scores_of_classes(tmp_path, make, bad):
    metric = make(tmp_path)
    metric.process({}, classified(0.5, 0.5))
    with pytest.raises(
        ValueError, match=r'pred_score is not .* 2 of the 3 sa'
    ):
        metric.process({}, classified(bad, 0.5, bad))


@BAD
@pytest.mark.parametrize('name', ['bboxes', 'scores', 'mask_scores'])
def test_detections(lvis_file, name, bad):
    samples = [
        {
            'img_id': 1,
            'ori_shape': (9, 9),
            'pred_instances': {
                'bboxes': torch.tensor([[1.0, 1, 5, 5]] * number).reshape(
                    -1, 4
                ),
                'scores': torch.ones(number),
                'mask_scores': torch.ones(number),
                'labels': torch.zeros(number, dtype=torch.long),
            },
        }
        for number in (3, 0, 2)
    ]
    metric = LVISMetric(lvis_file)
    metric.process({}, samples)
    samples[2]['pred_instances'][name][1] = float(bad)
    with pytest.raises(ValueError, match=f'{name} is not .* 1 of the 3 sampl'):
        metric.process({}, samples)


@pytest.fixture
def lvis_file(tmp_path):
    path = tmp_path / 'annotations.json'
    path.write_text(
        """{
        "images": [{"id": 1, "height": 9, "width": 9,
                    "neg_category_ids": [2]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "area": 16,
                         "bbox": [1, 1, 4, 4]}],
        "categories": [{"id": 1, "name": "cat", "frequency": "r"},
                       {"id": 2, "name": "dog", "frequency": "f"}]}"""
    )
    return str(path)


def test_one_look_at_a_batch(monkeypatch):
    looks = []
    look = torch.Tensor.isfinite
    monkeypatch.setattr(
        torch.Tensor, 'isfinite', lambda x: looks.append(1) or look(x)
    )
    check_predictions('pred_score', list(torch.rand(64, 5)))
    assert looks == [1]
    check_predictions('pred_score', [])
