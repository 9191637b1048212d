"""Nearest class mean. B batch, C classes, D channels."""

from __future__ import annotations

from typing import Any

from mmpretrain.models.heads import ClsHead
from torch import Tensor

from mmlt.checks import check_size
from mmlt.models.class_means import ClassMeans
from mmlt.registry import MODELS


@MODELS.register_module()
class NCMHead(ClassMeans, ClsHead):
    r"""Nearest class mean: logits are negative squared distances.

    `Decoupling Representation and Classifier for Long-Tailed Recognition
    <https://arxiv.org/abs/1910.09217>`_, section 4.1, with the Euclidean
    distance to the mean feature of each class,

    .. math::
        z_k = -\lVert f(x) - m_k \rVert^2, \qquad
        m_k = \frac{1}{n_k} \sum_{i: y_i = k} f(x_i)

    where f is the feature itself (``'plain'``), the feature over its L2 norm
    (``'l2'``), or that of the feature minus the mean of the training set
    (``'cl2n'``), the default of the paper's code. The means themselves are not
    normalised again. Nothing is trained: ``mmlt.ClassMeansLoop``, in the
    place of a training, sets the means.

    Args:
        num_classes (int): Number of classes C.
        in_channels (int): Width D of the feature.
        normalize (str): ``'plain'``, ``'l2'`` or ``'cl2n'``.
        **kwargs: ``loss``, ``topk``, ``cal_acc`` and ``init_cfg`` of
            MMPretrain's ``ClsHead``.

    Raises:
        TypeError: If a number is none.
        ValueError: If a number is not positive, or ``normalize`` unknown; at
            use if there are no class means yet.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        normalize: str = 'cl2n',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.in_channels = check_size('in_channels', in_channels)
        num_classes = check_size('num_classes', num_classes)
        self.init_means(num_classes, in_channels, normalize)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Compute logits (B, C) from features, the last being (B, D)."""
        return self.nearness(self.pre_logits(feats))
