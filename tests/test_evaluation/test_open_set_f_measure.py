"""The open-set F-measure beside the loop of OLTR's code."""

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS
from mmpretrain.datasets import CustomDataset
from numpy.testing import assert_allclose
from PIL import Image

from mmlt.evaluation.metrics.open_set_f_measure import (
    OpenSetFMeasure,
    open_set_f_measure,
)

C = 4


def literal(predicted, labels):
    """With precision and recall, image by image."""
    tp = fp = fn = 0
    for p, y in zip(predicted, labels, strict=True):
        if y != -1:
            tp += p == y
            fp += p != y
        else:
            fn += p != y
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return 200 * precision * recall / (precision + recall)


def test_it_is_literal():
    rng = np.random.default_rng(0)
    for _ in range(5):
        predicted = rng.integers(-1, C, 200)
        labels = rng.integers(-1, C, 200)
        got = open_set_f_measure(predicted, labels)
        assert_allclose(got, literal(predicted, labels), rtol=1e-12)


def sample(score, label):
    return dict(pred_score=torch.tensor(score), gt_label=torch.tensor([label]))


def test_by_hand():
    sure, flat = [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]
    samples = [
        sample(sure, 0),  # recognised
        sample(sure, 1),  # another class
        sample(flat, 0),  # rejected, though it is known
        sample(sure, -1),  # not rejected
        sample(flat, C),  # rejected
    ]
    metric = OpenSetFMeasure(threshold=0.3)
    metric.process(None, samples[:2])
    metric.process(None, samples[2:])
    result = metric.evaluate(5)
    assert_allclose(result['open-set/f_measure'], 200 / (2 + 2 + 1))
    assert_allclose(result['open-set/known'], 100 / 3)
    assert_allclose(result['open-set/unknown'], 50)


def test_nothing_is_rejected_at_zero():
    metric = OpenSetFMeasure(threshold=0)
    metric.process(None, [sample([0.25] * C, -1), sample([0.25] * C, 0)])
    result = metric.evaluate(2)
    assert result['open-set/unknown'] == 0
    assert result['open-set/known'] == 100


def ranks_result(rank):
    labels = [[0, -1, 1], [C, 2, 3]][rank]
    metric = OpenSetFMeasure(threshold=0.3)
    metric.process(
        None, [sample([0.7, 0.1, 0.1, 0.1], label) for label in labels]
    )
    return metric.evaluate(6)


def test_two_ranks(on_two_ranks):
    one, other = on_two_ranks(ranks_result)
    assert one == other
    assert_allclose(one['open-set/f_measure'], 200 / (2 + 3 + 2))


def test_a_list_with_unknown_classes(tmp_path):
    """What the docstring says of annotation files."""
    Image.new('RGB', (4, 4)).save(tmp_path / 'x.jpg')
    (tmp_path / 'known.txt').write_text('x.jpg 1\n')
    (tmp_path / 'open.txt').write_text('x.jpg -1\n')
    parts = [
        dict(
            type=CustomDataset,
            data_root=str(tmp_path),
            ann_file=f'{name}.txt',
            pipeline=[
                dict(type='mmpretrain.LoadImageFromFile'),
                dict(type='mmpretrain.PackInputs'),
            ],
        )
        for name in ('known', 'open')
    ]
    dataset = DATASETS.build(dict(type='ConcatDataset', datasets=parts))
    labels = [each['data_samples'].gt_label.item() for each in dataset]
    assert labels == [1, -1]


def test_bad_input():
    with pytest.raises(ValueError, match=r'threshold must be in \[0, 1\]'):
        OpenSetFMeasure(threshold=2)
    metric = OpenSetFMeasure()
    with pytest.raises(ValueError, match='gt_label must be one class'):
        metric.process(None, [dict(pred_score=torch.ones(C))])
    with pytest.raises(ValueError, match='needs pred_score'):
        metric.process(None, [dict(gt_label=torch.tensor([1]))])
    with pytest.raises(ValueError, match='pred_score is not finite'):
        metric.process(None, [sample([float('nan')] * C, 0)])
    metric.process(None, [sample([0.25] * C, 0)])
    with pytest.raises(ValueError, match='all labels of the test set'):
        metric.evaluate(1)
