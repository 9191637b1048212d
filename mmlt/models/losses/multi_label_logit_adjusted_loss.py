"""Logit adjustment for multi-label data. B batch, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_finite
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import MultiLabelLoss
from .checks import warn_of_tau


def log_odds(stats: ClassStats) -> np.ndarray:
    """``log(n_k / (N - n_k))``, (C,): whether an image holds the class.

    It is infinite for a class in no image or in all of them: these count as
    being in one image, and in all but one.

    Args:
        stats (ClassStats): ``n_k`` and ``N`` in images.
    """
    num_images = max(stats.num_images, 2)
    count = stats.image_count.clip(1, num_images - 1)
    return -np.log(num_images / count - 1)


@MODELS.register_module()
class MultiLabelLogitAdjustedLoss(MultiLabelLoss):
    r"""Binary cross entropy of logits with the log odds of their class added.

    .. math::
        BCE\Big(z_k + \tau \log\frac{n_k}{N - n_k},\ y_k\Big)

    `Long-tail learning via logit adjustment
    <https://arxiv.org/abs/2007.07314>`_ minimises the balanced error of one
    softmax. Here it is that of C binary problems:

    .. math::
        \frac{1}{C} \sum_k \frac{1}{2} \big( P(z_k < 0 \mid y_k = 1)
        + P(z_k \ge 0 \mid y_k = 0) \big)

    Each term is least for ``z_k >= 0`` exactly where ``P(x | y_k = 1) >=
    P(x | y_k = 0)``, that is, for ``z_k`` with the sign of the log likelihood
    ratio. By Bayes' rule the log odds of the label given the image are this
    ratio plus the log odds of the label alone:

    .. math::
        \log\frac{P(y_k = 1 | x)}{P(y_k = 0 | x)} =
        \log\frac{P(x | y_k = 1)}{P(x | y_k = 0)} + \log\frac{n_k}{N - n_k}

    Binary cross entropy learns the left side. So what is trained is the sum,
    and what predicts is the ratio: the raw logit, with the threshold 0 for
    each class. The labels of a class are imbalanced in themselves, ``n_k`` to
    ``N - n_k``; softmax's ``log pi_k`` compares classes with each other, of
    which an image has one.

    A class in no image counts as being in one, a class in all images as
    missing from one. Raw logits change the scores of all images of a class
    alike: the average precision of a class gains by how the training differs,
    F1 by the threshold, too.

    Args:
        tau (float): Scale of the log odds. 1 is the derivation above, 0 the
            binary cross entropy.
        class_stats (ClassStats | dict | list | str | None): Image counts and
            number of images, see
            :class:`~mmlt.models.losses.base.MultiLabelLoss`, also for
            targets and reduction.
        **kwargs: Other arguments of the same class.

    Raises:
        TypeError: If ``tau`` is no number.
        ValueError: If ``tau`` is not finite.
    """

    def __init__(
        self, tau: float = 1.0, class_stats: Any = None, **kwargs: Any
    ) -> None:
        self.tau = check_finite('tau', tau)
        warn_of_tau(type(self).__name__, tau)
        super().__init__(class_stats, **kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """``tau`` times the log odds, (C,)."""
        return {'offset': self.tau * log_odds(stats)}

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            cls_score + self.offset, target, reduction='none'
        )
