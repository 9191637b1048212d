import io
import logging

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.registry import METRICS
from mmpretrain.structures import DataSample
from sklearn.metrics import average_precision_score, f1_score

from mmlt.class_stats import ClassStats
from mmlt.evaluation.metrics import ShotMultiLabelMAP

STATS = ClassStats([500, 101, 100, 20, 19, 1], None, 600)


def make_data(num_samples=97, levels=20, seed=0):
    """Scores with many ties, and labels that they know something of."""
    rng = np.random.default_rng(seed)
    target = (rng.random((num_samples, 6)) < 0.3).astype(int)
    score = rng.random((num_samples, 6)) * 0.7 + 0.3 * target
    return np.floor(score * levels) / levels, target


def as_samples(score, target):
    return [
        DataSample()
        .set_pred_score(torch.tensor(s, dtype=torch.float32))
        .set_gt_score(torch.tensor(t, dtype=torch.float32))
        for s, t in zip(score, target, strict=True)
    ]


def evaluate(metric, samples):
    return Evaluator(metric).offline_evaluate(samples, chunk_size=10)


@pytest.fixture
def log():
    """What is logged during a test."""
    stream = io.StringIO()
    logger = MMLogger.get_current_instance()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


@pytest.mark.parametrize('levels', [2, 7, 10**6])
def test_equals_scikit_learn(levels):
    score, target = make_data(levels=levels)
    result = evaluate(
        ShotMultiLabelMAP(class_stats=STATS), as_samples(score, target)
    )
    score = score.astype(np.float32)
    ap = 100 * average_precision_score(target, score, average=None)
    predicted = score >= 0.5
    expected = {
        'mAP': ap.mean(),
        'mAP_head': ap[:2].mean(),  # more than 100 training images
        'mAP_medium': ap[2:4].mean(),  # 20 to 100
        'mAP_tail': ap[4:].mean(),
        'micro_f1': 100 * f1_score(target, predicted, average='micro'),
        'macro_f1': 100 * f1_score(target, predicted, average='macro'),
    }
    assert result == pytest.approx(
        {f'multi-label/{name}': value for name, value in expected.items()}
    )


def test_unknown_labels_count_nowhere():
    score, target = make_data()
    unknown = np.random.default_rng(1).random(target.shape) < 0.2
    partial = np.where(unknown, -1, target)
    result = evaluate(
        ShotMultiLabelMAP(class_stats=STATS), as_samples(score, partial)
    )
    score = score.astype(np.float32)
    columns = [
        (target[~unknown[:, k], k], score[~unknown[:, k], k]) for k in range(6)
    ]
    ap = [100 * average_precision_score(t, s) for t, s in columns]
    macro = [100 * f1_score(t, s >= 0.5) for t, s in columns]
    known = ~unknown
    micro = 100 * f1_score(target[known], score[known] >= 0.5)
    assert result['multi-label/mAP'] == pytest.approx(np.mean(ap))
    assert result['multi-label/macro_f1'] == pytest.approx(np.mean(macro))
    assert result['multi-label/micro_f1'] == pytest.approx(micro)


def test_classes_without_positives_are_reported_not_counted(log):
    score, target = make_data()
    target[:, [1, 4, 5]] = 0
    metric = ShotMultiLabelMAP(class_stats=STATS, per_class=True)
    metric.dataset_meta = dict(classes=list('abcdef'))
    result = evaluate(metric, as_samples(score, target))
    ap = 100 * average_precision_score(
        target[:, [0, 2, 3]], score[:, [0, 2, 3]].astype('f4'), average=None
    )
    assert result['multi-label/mAP'] == pytest.approx(ap.mean())
    assert result['multi-label/mAP_head'] == pytest.approx(ap[0])
    assert 'multi-label/mAP_tail' not in result
    text = log.getvalue()
    assert '3 classes have no positive sample' in text
    assert "['b', 'e', 'f']" in text
    assert "in the group 'tail'" in text
    rows = {
        line.split('|')[1].strip(): line.split('|')[-2].strip()
        for line in text.splitlines()
        if line.count('|') == 6
    }
    assert rows['e'] == '-'
    assert rows['a'] == f'{ap[0]:.2f}'


def test_no_positives_at_all():
    score, target = make_data()
    metric = ShotMultiLabelMAP(class_stats=STATS)
    result = evaluate(metric, as_samples(score, 0 * target))
    assert np.isnan(result['multi-label/mAP'])
    assert np.isnan(result['multi-label/macro_f1'])
    assert result['multi-label/micro_f1'] == 0


def test_class_indices_as_ground_truth():
    score, target = make_data()
    samples = [
        DataSample()
        .set_pred_score(torch.tensor(s, dtype=torch.float32))
        .set_gt_label(torch.tensor(t).nonzero().flatten())
        for s, t in zip(score, target, strict=True)
    ]
    assert any(not row.any() for row in target)
    metric = ShotMultiLabelMAP(class_stats=STATS)
    expected = evaluate(metric, as_samples(score, target))
    metric = ShotMultiLabelMAP(class_stats=STATS)
    assert evaluate(metric, samples) == expected


def test_single_label_data_are_refused():
    samples = [
        DataSample().set_pred_score(torch.rand(3)).set_gt_label(label)
        for label in (0, 2)
    ]
    metric = ShotMultiLabelMAP(class_stats=[500, 50, 5])
    with pytest.raises(ValueError, match='single-label data, use ShotAccu'):
        evaluate(metric, samples)
    # Of multi-label data, all images of a batch may have one class.
    stats = ClassStats([500, 50, 5], None, 510)
    result = evaluate(ShotMultiLabelMAP(class_stats=stats), samples)
    assert 'multi-label/mAP' in result


@pytest.mark.parametrize(
    ('thresholds', 'tail', 'head'),
    [
        ((20, 101), [4, 5], [0, 1]),
        ((21, 100), [3, 4, 5], [0, 1, 2]),
        ('oltr', [3, 4, 5], [0, 1, 2]),
        ('db_loss', [4, 5], [0, 1, 2]),
    ],
)
def test_boundaries(thresholds, tail, head):
    score, target = make_data()
    result = evaluate(
        METRICS.build(
            dict(
                type='mmlt.ShotMultiLabelMAP',
                thresholds=thresholds,
                class_stats=STATS.to_dict(),
            )
        ),
        as_samples(score, target),
    )
    ap = 100 * average_precision_score(
        target, score.astype('f4'), average=None
    )
    assert result['multi-label/mAP_tail'] == pytest.approx(ap[tail].mean())
    assert result['multi-label/mAP_head'] == pytest.approx(ap[head].mean())


def test_stats_from_the_hook_and_from_the_config():
    metric = ShotMultiLabelMAP()
    with pytest.raises(ValueError, match='ShotMultiLabelMAP has no class st'):
        metric.process(None, [])
    metric.set_class_stats(STATS)
    assert metric.class_stats == STATS
    given = ShotMultiLabelMAP(class_stats=[1, 2, 3, 4, 5, 6])
    given.set_class_stats(STATS)
    assert given.class_stats.image_count.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ('wrong', 'match'),
    [
        (dict(thr=1.5), r'thr must be in \[0, 1\], got 1.5'),
        (dict(thresholds=(101, 20)), 'thresholds must be positive and rise'),
        (dict(group_names=('tail', 'head')), 'group_names must hold 3 names'),
        (dict(by='pixel'), 'by must be'),
    ],
)
def test_bad_argument(wrong, match):
    with pytest.raises(ValueError, match=match):
        ShotMultiLabelMAP(**wrong)


@pytest.mark.parametrize(
    ('value', 'kind'),
    [(True, TypeError), ('0.5', TypeError), (float('nan'), ValueError)],
)
def test_nonsense_for_the_threshold_of_scores(value, kind):
    with pytest.raises(kind, match='thr must be'):
        ShotMultiLabelMAP(thr=value)


@pytest.mark.parametrize(
    ('given', 'match'),
    [
        (dict(pred_score=[0.5] * 5), 'pred_score has 5 classes'),
        (dict(pred_score=[0.5] * 5 + [np.nan]), 'pred_score is not finite'),
        (dict(gt_score=[0.0] * 5), 'gt_score must hold 0, 1 or -1'),
        (dict(gt_score=[0.0] * 5 + [0.5]), r'0.5\]'),
        (dict(gt_score=[0.0] * 5 + [2.0]), r'2.0\]'),
    ],
)
def test_bad_samples(given, match):
    sample = dict(pred_score=[0.5] * 6, gt_score=[0.0] * 6) | given
    sample = {name: torch.tensor(value) for name, value in sample.items()}
    with pytest.raises(ValueError, match=match):
        ShotMultiLabelMAP(class_stats=STATS).process(None, [sample])
    sample = dict(pred_score=torch.zeros(6), gt_label=torch.tensor([1, 6]))
    with pytest.raises(ValueError, match=r'gt_label must hold.*\[1, 6\]'):
        ShotMultiLabelMAP(class_stats=STATS).process(None, [sample])


def evaluate_shard(rank, samples):
    evaluator = Evaluator(ShotMultiLabelMAP(class_stats=STATS))
    # As a sampler deals them out: the first one again makes the shards equal.
    padded = samples + samples[: len(samples) % 2]
    for sample in padded[rank::2]:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


@pytest.mark.parametrize('num_samples', [96, 97])
def test_two_ranks_evaluate_as_one(on_two_ranks, num_samples):
    score, target = make_data(num_samples)
    target[::7, 2] = -1
    samples = as_samples(score, target)
    expected = evaluate(ShotMultiLabelMAP(class_stats=STATS), samples)
    assert on_two_ranks(evaluate_shard, samples) == (expected, expected)


@pytest.mark.parametrize(('strict', 'f1'), [(False, 80.0), (True, 100.0)])
def test_a_score_at_the_threshold(strict, f1):
    """A logit of exactly 0; with 2 TP / (2 TP + FP + FN) = 4 / 5."""
    stats = ClassStats([30, 20], None, 40)
    logits = torch.tensor([[1.0, 0.0], [-1.0, 2.0]])
    samples = as_samples(logits.sigmoid().tolist(), [[1, 0], [0, 1]])
    metric = ShotMultiLabelMAP(class_stats=stats, strict=strict)
    assert evaluate(metric, samples)['multi-label/micro_f1'] == f1
