"""Box heads that ask one classifier for the background, another for classes.

R RoIs, C classes, D channels of the last shared layer.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from torch import Tensor, nn

from mmlt.models.class_means import ClassMeans
from mmlt.models.losses.base import in_full_precision
from mmlt.models.posthoc.checks import check_tau
from mmlt.registry import MODELS

FEATURES = ('fc', 'conv')


class ForegroundBBoxHead(Shared2FCBBoxHead):
    r"""Background by the trained softmax, classes by :meth:`class_scores`.

    What normalises or replaces the weights of the classes has nothing to say
    about the background. `Overcoming Classifier Imbalance for Long-tail Object
    Detection with Balanced Group Softmax <https://arxiv.org/abs/2006.10408>`_
    therefore leaves the background to the softmax of the trained detector,

    .. math::
        p(c) = (1 - p_0) \, q(c), \qquad
        p_0 = \mathrm{softmax}(z)_0

    and compares with classifiers q of the classes alone. In evaluation mode
    the scores are log p, of which the softmax is p. In training mode they are
    the logits z: the detector trains as with the stock head.

    Args:
        **kwargs: Arguments of MMDetection's ``Shared2FCBBoxHead``.

    Raises:
        ValueError: If the loss or the classifier is no plain softmax on a
            linear layer, or the head pools.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        name = type(self).__name__
        if self.custom_activation or self.loss_cls.use_sigmoid:
            raise ValueError(
                f'loss_cls {type(self.loss_cls).__name__} of {name} makes no '
                'softmax over classes and background, which decides on the '
                "background; use dict(type='CrossEntropyLoss')"
            )
        if type(self.fc_cls) is not nn.Linear or self.with_avg_pool:
            raise ValueError(
                f'{name} stands on a linear classifier of flattened RoIs: '
                'leave out cls_predictor_cfg and with_avg_pool'
            )

    def shared(self, x: Tensor) -> Tensor:
        """(R, D) of the last shared layer, before its ReLU."""
        *first, last = self.shared_fcs
        x = x.flatten(1)
        for layer in first:
            x = F.relu(layer(x))
        return last(x)

    def class_scores(self, x: Tensor, feature: Tensor) -> Tensor:
        """(R, C) log q, from the RoIs and their features (R, D)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (R, C + 1), the background last, and box deltas."""
        feature = self.shared(x)
        hidden = F.relu(feature)
        logits, deltas = self.fc_cls(hidden), self.fc_reg(hidden)
        if self.training:
            return logits, deltas
        log_p = in_full_precision(logits).log_softmax(1)
        objects, background = log_p[:, :-1], log_p[:, -1:]
        classes = self.class_scores(x, feature)
        classes = classes + objects.logsumexp(1, keepdim=True)
        return torch.cat([classes, background], 1), deltas


@MODELS.register_module()
class NCMBBoxHead(ClassMeans, ForegroundBBoxHead):
    r"""Nearest class mean for boxes: NCM of the BAGS paper's comparison.

    q is 1 for the class with the nearest mean,
    :math:`\arg\min_k \lVert f(x) - m_k \rVert^2`, as in
    :class:`~mmlt.NCMHead`. ``mmlt.ClassMeansLoop``, in the place of a
    training, sets the means, over the true boxes of the training images.

    Note:
        The paper states the features and the normalisation. That the means
        are those of the true boxes, that the nearest class takes the whole
        probability of an object, and that the maps of a RoI are averaged, is
        inferred.

    Args:
        feature (str): ``'fc'``, the last shared layer before its ReLU, or
            ``'conv'``, the mean of the maps of a RoI.
        normalize (str): ``'plain'``, ``'l2'`` or ``'cl2n'``. Defaults to
            ``'l2'``.
        **kwargs: Arguments of MMDetection's ``Shared2FCBBoxHead``.

    Raises:
        ValueError: If ``feature`` or ``normalize`` is unknown, the loss makes
            no softmax; at use if there are no class means yet.
    """

    def __init__(
        self, feature: str = 'fc', normalize: str = 'l2', **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if feature not in FEATURES:
            raise ValueError(
                f'feature must be one of {FEATURES}, got {feature!r}'
            )
        self.feature = feature
        width = self.cls_last_dim if feature == 'fc' else self.in_channels
        self.init_means(self.num_classes, width, normalize)

    def describe(self, x: Tensor, feature: Tensor) -> Tensor:
        """What is compared, from RoIs and the last shared layer's output."""
        if self.feature == 'fc':
            return feature
        if x.dim() != 4:
            raise ValueError(
                "feature='conv' of NCMBBoxHead needs the maps of RoIs, got "
                f"the shape {tuple(x.shape)}; use feature='fc'"
            )
        return x.mean((2, 3))

    def class_scores(self, x: Tensor, feature: Tensor) -> Tensor:
        """0 for the nearest class, minus infinity for the others."""
        nearness = self.nearness(self.describe(x, feature))
        nearest = nearness.argmax(1, keepdim=True)
        return torch.full_like(nearness, -torch.inf).scatter(1, nearest, 0.0)


@MODELS.register_module()
class TauNormBBoxHead(ForegroundBBoxHead):
    r"""Tau-norm with selection, of the BAGS paper's comparison.

    q is the softmax over the classes alone of

    .. math::
        \tilde z_k = \frac{w_k^\top x}{\lVert w_k \rVert^\tau}

    as in `Decoupling Representation and Classifier for Long-Tailed
    Recognition <https://arxiv.org/abs/1910.09217>`_, Eq. 4, without a bias.
    Without selection (``mmlt.TauNorm``), the norms decide between object and
    background, too.

    Note:
        That selection means this is inferred: the paper reports both rows and
        leaves the background of its other comparisons to the softmax.

    Args:
        tau (float): 0 changes no weight, 1 gives all classes the norm 1.
        **kwargs: Arguments of MMDetection's ``Shared2FCBBoxHead``.

    Raises:
        TypeError: If ``tau`` is no number.
        ValueError: If it is not finite, or the loss makes no softmax.
    """

    def __init__(self, tau: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_tau(tau)
        self.tau = tau

    def class_scores(self, x: Tensor, feature: Tensor) -> Tensor:
        """Log-softmax over the classes."""
        weight = in_full_precision(self.fc_cls.weight[:-1])
        norm = weight.norm(dim=1, keepdim=True).clamp_min(1e-12)
        hidden = F.relu(in_full_precision(feature))
        return F.linear(hidden, weight / norm**self.tau).log_softmax(1)
