"""Negative gradient that a class receives per positive one.

B batch, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from mmpretrain.models.classifiers import ImageClassifier
from torch import Tensor


def gradient_sums(
    loss: Callable[..., Tensor], cls_score: Tensor, target: Tensor
) -> Tensor:
    """Gradients of a loss, summed over the positive and the negative labels.

    Args:
        loss (Callable): Loss of MMPretrain, of logits and targets, both
            (B, C), with ``avg_factor``.
        cls_score (Tensor): (B, C) logits.
        target (Tensor): (B, C), 1 for positive labels and 0 for negative
            ones; others, unknown, are in neither sum.

    Returns:
        Tensor: (2, C) float64, sums of absolute values: those of positive
        labels, then those of negative ones.
    """
    with torch.enable_grad():
        cls_score = cls_score.detach().requires_grad_()
        # The sum: an incomplete batch counts by its images.
        value = loss(cls_score, target, avg_factor=1)
        gradient = torch.autograd.grad(value, cls_score)[0].abs().double()
    return torch.stack(
        [(gradient * (target == label)).sum(dim=0) for label in (1, 0)]
    )


@torch.no_grad()
def gradient_ratio(
    model: ImageClassifier, batches: Iterable[dict], trained: bool = True
) -> Tensor:
    r"""How much negative gradient a class receives per positive one.

    .. math::
        \frac{\sum_{i: y_{ik} = 0} |\partial L / \partial z_{ik}|}
             {\sum_{i: y_{ik} = 1} |\partial L / \partial z_{ik}|}

    At 1, what pushes the logit of a class up and down is in balance. The
    network is in evaluation mode: no dropout, no statistics of a batch.

    Args:
        model (ImageClassifier): With a multi-label head.
        batches (Iterable[dict]): Of a data loader; as the sampler draws
            them.
        trained (bool): False: of logits of 0, what sampler and loss alone
            make of the labels. Defaults to True: the logits of the model.

    Returns:
        Tensor: (C,) float64 ratios, NaN for a class that never came.
    """
    model.eval()
    head, sums = model.head, 0
    for batch in batches:
        data = model.data_preprocessor(batch, False)
        samples = data['data_samples']
        target = torch.stack([sample.gt_score for sample in samples]).float()
        logits = torch.zeros_like(target)
        if trained:
            logits = head(model.extract_feat(data['inputs']))
        sums = sums + gradient_sums(head.loss_module, logits, target)
    positive, negative = sums
    ratio = negative / positive
    return ratio.where(positive > 0, torch.nan)
