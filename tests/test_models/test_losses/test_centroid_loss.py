"""The centroid loss beside image by image computations, and two ranks."""

import pytest
import torch
from torch.testing import assert_close

from mmlt.models.losses.centroid_loss import centroid_loss

B, C, D = 6, 4, 3


def literal(feature, centroids, target, weight, repel_weight, margin):
    """Value, and the gradients of features and centroids, by the formula."""
    images = len(feature)
    attract, others = 0.0, 0.0
    for f, t in zip(feature, target, strict=True):
        known = [k for k in range(C) if t[k] == 1]
        for k in range(C):
            square = sum((f[d] - centroids[k, d]) ** 2 for d in range(D))
            if k in known:
                attract = attract + square / len(known)
            else:
                others = others + square
    repel = torch.clamp(margin - others / (images * C), min=0)
    return attract / (2 * images), repel, weight, repel_weight


def make(seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    options = dict(generator=generator, dtype=torch.float64)
    feature = scale * torch.randn(B, D, **options)
    centroids = scale * torch.randn(C, D, **options)
    labels = torch.tensor([0, 0, 0, 1, 1, 3])
    target = torch.nn.functional.one_hot(labels, C)
    return feature.requires_grad_(), centroids.requires_grad_(), target


@pytest.mark.parametrize('scale', [0.5, 10.0])
def test_value_and_gradients_are_literal(scale):
    """With the second term, and where its margin is kept."""
    feature, centroids, target = make(scale=scale)
    loss = centroid_loss(feature, centroids, target, 0.2, 0.3, 7.0)
    loss.backward()
    f, c = (x.detach().clone().requires_grad_() for x in (feature, centroids))
    attract, repel, weight, repel_weight = literal(f, c, target, 0.2, 0.3, 7)
    assert (repel > 0) == (scale < 1)
    expected = weight * (attract + repel_weight * repel)
    assert_close(loss, expected, rtol=0, atol=1e-6)
    expected.backward()
    assert_close(feature.grad, f.grad, rtol=0, atol=1e-6)
    # Of the first term the gradient is that of the paper's code.
    (of_repel,) = torch.autograd.grad(
        weight * repel_weight * literal(f, c, target, 0.2, 0.3, 7)[1], c
    )
    for k in range(C):
        images = [f[i] for i in range(B) if target[i, k]]
        moved = sum((c[k] - image for image in images), torch.zeros(D))
        grad = moved / (B * (1 + len(images))) + of_repel[k]
        assert_close(centroids.grad[k], grad, rtol=0, atol=1e-6)
    assert scale < 1 or not centroids.grad[2].any()  # Without images.


def test_a_value_by_hand():
    """One image at (3, 4) from its centroid, the other centroid at (1, 0)."""
    feature = torch.tensor([[3.0, 4.0]], requires_grad=True)
    centroids = torch.tensor([[0.0, 0.0], [2.0, 4.0]], requires_grad=True)
    loss = centroid_loss(feature, centroids, torch.tensor([[1, 0]]))
    # 0.01 * (25 / 2 + 0.01 * (10 - 1 / 2))
    assert_close(loss.item(), 0.01 * (12.5 + 0.01 * 9.5))
    loss.backward()
    # (0 - 3, 0 - 4) / (1 + 1), and nothing of the second term.
    assert_close(centroids.grad[0], torch.tensor([-1.5, -2.0]))
    assert_close(centroids.grad[1], torch.tensor([1e-4, 0.0]))


def test_gradcheck_of_features():
    feature, centroids, target = make()
    centroids.requires_grad_(False)
    assert torch.autograd.gradcheck(
        lambda x: centroid_loss(x, centroids, target), feature
    )


def test_gradcheck_of_centroids_that_only_repel():
    feature, centroids, target = make()
    assert torch.autograd.gradcheck(
        lambda c: centroid_loss(feature.detach(), c, 0 * target), centroids
    )


def test_several_labels_are_the_mean_of_one_each():
    feature, centroids, _ = make()
    target = torch.zeros(B, C, dtype=torch.long)
    target[:, 1] = 1
    target[:, 3] = 1
    options = dict(repel_weight=0.0)
    both = centroid_loss(feature, centroids, target, **options)
    one = [
        centroid_loss(feature, centroids, each, **options)
        for each in (
            torch.nn.functional.one_hot(torch.full((B,), k), C) for k in (1, 3)
        )
    ]
    assert_close(both, sum(one) / 2)


def test_no_label_and_unknown_labels_pull_nowhere():
    feature, centroids, target = make()
    target[2:] = 0
    target[2:, 1] = -1
    loss = centroid_loss(feature, centroids, target, repel_weight=0.0)
    loss.backward()
    assert feature.grad[:2].all()
    assert not feature.grad[2:].any()
    assert not centroids.grad[1:].any()


def test_empty_batch():
    feature, centroids, target = make()
    loss = centroid_loss(feature[:0], centroids, target[:0])
    loss.backward()
    assert_close(loss.item(), 0.01 * 0.01 * 10)
    assert not centroids.grad.any()


def test_a_feature_on_its_centroid():
    centroids = torch.eye(C, D, requires_grad=True)
    feature = torch.eye(C, D, requires_grad=True)
    centroid_loss(feature, centroids, torch.eye(C)).backward()
    assert feature.grad.isfinite().all()
    assert centroids.grad.isfinite().all()


def gradients_of_rank(rank, scale):
    """What DDP makes of the gradients of half of the batch."""
    feature, centroids, target = make(scale=scale)
    half = slice(rank * B // 2, (rank + 1) * B // 2)
    loss = centroid_loss(feature[half], centroids, target[half], margin=3.0)
    loss.backward()
    torch.distributed.all_reduce(centroids.grad)
    torch.distributed.all_reduce(loss := loss.detach())
    feature_grad = feature.grad[half]
    return [(x / 2).tolist() for x in (loss, centroids.grad, feature_grad)]


@pytest.mark.parametrize('scale', [0.5, 1.0, 10.0])
def test_two_ranks_equal_one(on_two_ranks, scale):
    feature, centroids, target = make(scale=scale)
    loss = centroid_loss(feature, centroids, target, margin=3.0)
    loss.backward()
    ranks = on_two_ranks(gradients_of_rank, scale)
    for loss_of, centroids_grad, _ in ranks:
        assert_close(loss_of, loss.item())
        got = torch.tensor(centroids_grad, dtype=torch.float64)
        assert_close(got, centroids.grad)
    features_grad = ranks[0][2] + ranks[1][2]
    got = torch.tensor(features_grad, dtype=torch.float64)
    assert_close(got, feature.grad)
