import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import balanced_accuracy_score, recall_score

from mmlt.evaluation.functional import group_means, per_class_recall


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
