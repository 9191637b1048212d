import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.classifiers.mix import Mix
from mmlt.models.classifiers.remix import Remix, remix_lambda

COUNTS = [900, 300, 299, 100, 1]
C = len(COUNTS)


def expected(lam, n_a, n_b, kappa, tau):
    if n_a / n_b >= kappa and lam < tau:
        return 0.0
    if n_a / n_b <= 1 / kappa and 1 - lam < tau:
        return 1.0
    return lam


@pytest.mark.parametrize('lam', [0.0, 0.2, 0.5, 0.7, 1.0])
@pytest.mark.parametrize(('kappa', 'tau'), [(3.0, 0.5), (2, 0.9), (1e9, 1)])
def test_against_a_loop_over_pairs(lam, kappa, tau):
    pairs = [(a, b) for a in range(C) for b in range(C)]
    label_a, label_b = torch.tensor(pairs).T
    remix = Remix(C, kappa, tau, class_stats=COUNTS)
    weights = remix(torch.tensor(lam), label_a, label_b)
    for (a, b), weight in zip(pairs, weights, strict=True):
        rule = expected(lam, COUNTS[a], COUNTS[b], kappa, tau)
        assert weight.item() == pytest.approx(rule)


def test_by_hand():
    """The label goes to the class with a third of the images, or fewer."""
    n_a, n_b = torch.tensor([900, 900, 300]), torch.tensor([300, 301, 900])
    weight = remix_lambda(torch.tensor(0.4), n_a, n_b, 3.0, 0.5)
    assert_close(weight, torch.tensor([0.0, 0.4, 0.4]))
    weight = remix_lambda(torch.tensor(0.6), n_a, n_b, 3.0, 0.5)
    assert_close(weight, torch.tensor([0.6, 0.6, 1.0]))


def build(**kwargs):
    return MODELS.build(
        dict(
            type='mmlt.ManifoldMixupClassifier',
            backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=C, in_channels=16),
            **kwargs,
        )
    )


@pytest.mark.parametrize('partner', [torch.tensor([3, 2, 0, 1]), None])
def test_labels_of_a_batch(partner):
    """Of one sampler, and of two."""
    model = build(
        remix=dict(), class_stats=COUNTS, two_samplers=partner is None
    )
    labels = torch.tensor([0, 4, 3, 1])
    first, second = labels, labels[[3, 2, 0, 1]]
    if partner is None:
        first, second = labels[:2], labels[2:]
    scores = model.mixed_labels(Mix(1, torch.tensor(0.3), partner), labels)
    assert scores.shape == (len(first), C)
    for a, b, score in zip(first, second, scores, strict=True):
        weight = expected(0.3, COUNTS[a], COUNTS[b], 3, 0.5)
        soft = torch.zeros(C)
        soft[a] += weight
        soft[b] += 1 - weight
        assert_close(score, soft)


def test_receives_statistics_and_keeps_them_in_checkpoints():
    model = build(remix=dict())
    batch = torch.randn(4, 3, 8, 8), [DataSample().set_gt_label(0)] * 4
    with pytest.raises(ValueError, match='Remix has no class statistics'):
        model(*batch, mode='loss')
    model.remix.set_class_stats(ClassStats.single_label(COUNTS))
    model(*batch, mode='loss')
    resumed = build(remix=dict())
    resumed.load_state_dict(model.state_dict())
    assert resumed.remix.class_stats.image_count.tolist() == COUNTS


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(remix=dict(kappa=0.5)), r"remix\['kappa'\].*>= 1"),
        (dict(remix=dict(kappa=float('nan'))), r"remix\['kappa'\].*finite"),
        (dict(remix=dict(tau=1.5)), r"remix\['tau'\].*\[0, 1\]"),
        (dict(remix=dict(tao=0.5)), 'remix.*tao.*kappa.*tau'),
        (dict(remix=True), 'remix must be a dict'),
        (dict(class_stats=COUNTS), 'class_stats=.*add remix=dict'),
        (
            dict(remix=dict(), class_stats=[2, 1]),
            'class_stats hold 2 classes.*num_classes=5',
        ),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build(**kwargs)
