import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    recall_score,
)

from mmlt.evaluation.functional import (
    class_average_precision,
    f1_scores,
    group_means,
    nanmean,
    per_class_recall,
)


def multi_label_data(num_samples=97, levels=20, seed=0):
    """Scores with many ties, and labels that they know something of."""
    rng = np.random.default_rng(seed)
    target = (rng.random((num_samples, 6)) < 0.3).astype(int)
    score = rng.random((num_samples, 6)) * 0.7 + 0.3 * target
    return np.floor(score * levels) / levels, target


def test_recall_worked_by_hand():
    labels = np.array([0, 0, 0, 2, 2])
    hits = np.array([True, False, False, True, True])
    recall = per_class_recall(hits, labels, num_classes=4)
    assert_allclose(recall, [1 / 3, np.nan, 1.0, np.nan])


def test_recall_agrees_with_sklearn():
    rng = np.random.default_rng(0)
    labels = rng.choice(7, 500, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.02])
    predicted = np.where(rng.random(500) < 0.6, labels, rng.integers(7))
    recall = per_class_recall(predicted == labels, labels, 7)
    assert_allclose(
        recall, recall_score(labels, predicted, labels=range(7), average=None)
    )
    assert_allclose(recall.mean(), balanced_accuracy_score(labels, predicted))


def test_recall_without_samples():
    empty = np.zeros(0, dtype=int)
    assert np.isnan(per_class_recall(empty, empty, 3)).all()


@pytest.mark.parametrize('label', [-1, 3])
def test_recall_refuses_labels_out_of_range(label):
    with pytest.raises(ValueError, match=rf'labels\[1\] is {label}.* 3 cl'):
        per_class_recall(np.ones(2), np.array([0, label]), 3)


def test_group_means_leave_out_nan():
    values = np.array([0.2, np.nan, 0.4, 1.0, np.nan])
    groups = np.array([0, 0, 0, 2, 1])
    means = group_means(values, groups, num_groups=4)
    assert_allclose(means, [0.3, np.nan, 1.0, np.nan])


def test_group_means_of_one_group_are_the_mean():
    values = np.random.default_rng(0).random(9)
    means = group_means(values, np.zeros(9, dtype=int), 1)
    assert_array_equal(means.shape, (1,))
    assert_allclose(means[0], values.mean())


def test_average_precision_by_hand():
    # Hits at ranks 1 and 3: (1 / 1 + 2 / 3) / 2. The second column is one
    # step: as many hits as samples of equal score allow.
    score = np.array([[0.2, 1, 0.2], [0.9, 1, 0.9], [0.5, 1, 0.5], [0.7] * 3])
    score[3, 1] = 1
    target = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]])
    ap = class_average_precision(score, target)
    assert_allclose(ap, [100 * 5 / 6, 25, np.nan])
    empty = np.zeros((0, 1))
    assert np.isnan(class_average_precision(empty, empty)).tolist() == [True]


def test_average_precision_of_each_class():
    score, target = multi_label_data()
    target[:, 1] = 0
    target[:50, 2] = -1
    ap = class_average_precision(score, target)
    expected = 100 * average_precision_score(target[50:, 2], score[50:, 2])
    assert ap[2] == pytest.approx(expected)
    assert np.isnan(ap).tolist() == [False, True, False, False, False, False]


@pytest.mark.parametrize('levels', [2, 7, 10**6])
def test_average_precision_is_the_sum_over_thresholds(levels):
    score, target = multi_label_data(levels=levels)
    target[np.random.default_rng(1).random(target.shape) < 0.2] = -1
    expected = []
    for k in range(6):
        ap, recall = 0.0, 0.0
        positive = target[:, k] == 1
        for threshold in sorted(set(score[target[:, k] >= 0, k]))[::-1]:
            found = (score[:, k] >= threshold) & (target[:, k] >= 0)
            hits = (found & positive).sum()
            before, recall = recall, hits / positive.sum()
            ap += (recall - before) * hits / found.sum()
        expected.append(100 * ap)
    assert_allclose(class_average_precision(score, target), expected)


def test_f1_agrees_with_sklearn():
    score, target = multi_label_data()
    predicted = score >= 0.5
    assert f1_scores(predicted, target) == pytest.approx(
        {
            f'{average}_f1': 100 * f1_score(target, predicted, average=average)
            for average in ('micro', 'macro')
        }
    )


def test_f1_is_that_of_counting():
    score, target = multi_label_data()
    target[np.random.default_rng(1).random(target.shape) < 0.2] = -1
    target[target[:, 3] == 1, 3] = 0
    predicted = score >= 0.5
    counts = np.zeros((6, 3), dtype=int)  # TP, FP, FN
    for k in range(6):
        for guess, label in zip(predicted[:, k], target[:, k], strict=True):
            counts[k] += [
                guess and label == 1,
                guess and label == 0,
                not guess and label == 1,
            ]
    assert counts[3, 1] > 0  # they count in micro F1 only
    f1 = 200 * counts[:, 0] / (2 * counts[:, 0] + counts[:, 1:].sum(1))
    total = counts.sum(0)
    assert f1_scores(predicted, target) == pytest.approx(
        {
            'micro_f1': 200 * total[0] / (2 * total[0] + total[1:].sum()),
            'macro_f1': np.delete(f1, 3).mean(),
        }
    )


def test_f1_without_positives():
    scores = f1_scores(np.zeros((3, 2), bool), np.zeros((3, 2), int))
    assert scores['micro_f1'] == 0
    assert np.isnan(scores['macro_f1'])


@pytest.mark.filterwarnings('error')
def test_nanmean():
    assert nanmean(np.array([1.0, np.nan, 4.0])) == 2.5
    assert np.isnan(nanmean(np.array([np.nan])))
    assert np.isnan(nanmean(np.zeros(0)))
