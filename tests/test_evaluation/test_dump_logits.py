import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import METRICS
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmlt.evaluation.functional import class_average_precision
from mmlt.evaluation.metrics import DumpLogits

NUM_SAMPLES, NUM_CLASSES = 7, 4
LOGITS = 3 * torch.randn(
    NUM_SAMPLES, NUM_CLASSES, generator=torch.Generator().manual_seed(0)
)
# Multi-hot, with labels that are not known; the third has no label.
LABELS = torch.tensor(
    [
        [1, 0, 1, 0],
        [0, 1, -1, 0],
        [0, 0, 0, 0],
        [1, 1, 1, 1],
        [-1, 0, 0, 1],
        [0, 1, 0, 0],
        [0, 0, 1, -1],
    ]
)


def multi_label_samples(logits=LOGITS):
    return [
        DataSample(metainfo=dict(sample_idx=index))
        .set_pred_score(score)
        .set_gt_score(label.float())
        for index, (score, label) in enumerate(
            zip(logits.sigmoid(), LABELS, strict=True)
        )
    ]


def write(path, samples, **arguments):
    metric = METRICS.build(
        dict(
            type='mmlt.DumpLogits',
            out_file=str(path),
            split='val',
            **arguments,
        )
    )
    assert Evaluator(metric).offline_evaluate(samples, chunk_size=3) == {}
    return torch.load(path, weights_only=True)


def test_single_label(tmp_path):
    labels = torch.arange(NUM_SAMPLES) % NUM_CLASSES
    samples = [
        DataSample(metainfo=dict(sample_idx=index))
        .set_pred_score(score)
        .set_gt_label(labels[index])
        for index, score in enumerate(LOGITS.softmax(1))
    ]
    dump = write(tmp_path / 'new' / 'logits.pt', samples)
    assert_close(dump['logits'], LOGITS.log_softmax(1))
    assert_close(dump['labels'], labels)
    assert dump['sample_idx'].tolist() == list(range(NUM_SAMPLES))
    assert dump['split'] == 'val'


def test_multi_label(tmp_path):
    samples = multi_label_samples()
    dump = write(tmp_path / 'logits.pt', samples, multi_label=True)
    assert_close(dump['logits'], LOGITS)
    assert_close(dump['labels'], LABELS.char())
    assert dump['sample_idx'].tolist() == list(range(NUM_SAMPLES))
    arrays = dump['logits'].numpy(), dump['labels'].numpy()
    np.testing.assert_allclose(
        class_average_precision(*arrays),
        class_average_precision(LOGITS.numpy(), LABELS.numpy()),
    )


def test_multi_label_by_class_indices(tmp_path):
    """As without ``to_onehot``, also of images with one label or none."""
    positive = LABELS.clamp(min=0)
    samples = [
        DataSample(metainfo=dict(sample_idx=index))
        .set_pred_score(score)
        .set_gt_label(positive[index].nonzero().flatten())
        for index, score in enumerate(LOGITS.sigmoid())
    ]
    dump = write(tmp_path / 'logits.pt', samples, multi_label=True)
    assert_close(dump['labels'], positive.char())


def test_rounded_probabilities_stay_finite_and_in_order(tmp_path):
    logits = torch.tensor([[-100.0, -50, 9, 100]]).repeat(NUM_SAMPLES, 1)
    samples = multi_label_samples(logits)
    dump = write(tmp_path / 'logits.pt', samples, multi_label=True)
    expected = torch.tensor([-87.3365, -50, 9, 16.6355])
    assert_close(dump['logits'][0], expected, rtol=0, atol=0.02)


def write_shard(rank, path):
    evaluator = Evaluator(DumpLogits(str(path), 'val', multi_label=True))
    samples = multi_label_samples()
    for sample in [*samples, samples[0]][rank::2]:
        evaluator.process([sample])
    evaluator.evaluate(NUM_SAMPLES)


def test_two_ranks_write_each_sample_once(on_two_ranks, tmp_path):
    on_two_ranks(write_shard, tmp_path / 'two.pt')
    two = torch.load(tmp_path / 'two.pt', weights_only=True)
    samples = multi_label_samples()
    one = write(tmp_path / 'one.pt', samples, multi_label=True)
    assert two.pop('split') == one.pop('split')
    assert_close(two, one)


def test_multi_label_is_a_switch():
    with pytest.raises(TypeError, match='multi_label must be True or False'):
        DumpLogits('x.pt', 'val', multi_label=1)


@pytest.mark.parametrize(
    ('multi_label', 'change', 'match'),
    [
        (False, dict(gt_label=[0, 2]), r'\[0, 2\].*give DumpLogits multi_la'),
        (False, dict(pred_score=[0.9, 0.9]), 'a sum of 1.8'),
        (True, dict(pred_score=[0.9, 1.5]), 'probabilities, got .* to 1.5'),
        (True, dict(pred_score=[0.9, np.nan]), 'must hold probabilities'),
        (True, dict(gt_score=[1.0, 0.5]), 'gt_score must hold 0, 1 or -1'),
        (True, dict(gt_label=[0, 2]), r'classes in \[0, 2\), got \[0, 2\]'),
    ],
)
def test_bad_samples(tmp_path, multi_label, change, match):
    sample = dict(pred_score=[0.4, 0.6], gt_label=[1]) | change
    sample = {name: torch.tensor(value) for name, value in sample.items()}
    metric = DumpLogits(str(tmp_path / 'x.pt'), 'val', multi_label)
    with pytest.raises(ValueError, match='sample_idx is missing'):
        metric.process(None, [sample])
    with pytest.raises(ValueError, match=match):
        metric.process(None, [dict(sample, sample_idx=0)])
