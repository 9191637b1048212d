"""ML-GCN: classifiers from a graph of labels. B batch, C classes, D width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmpretrain.models.heads import MultiLabelClsHead
from torch import Tensor, nn

from mmlt.checks import (
    check_number,
    check_path,
    check_share,
    check_size,
)
from mmlt.models.word_vectors import read_word_vectors
from mmlt.registry import MODELS


def label_graph(
    co_occurrence: np.ndarray,
    threshold: float = 0.4,
    neighbour_weight: float = 0.25,
) -> np.ndarray:
    r"""The normalised adjacency of labels that imply each other.

    .. math::
        P_{ij} = \frac{A_{ij}}{n_i}, \quad
        B_{ij} = [P_{ij} \ge t], \quad
        M = p \frac{B_{ij}}{\sum_{j \ne i} B_{ij}} + I, \quad
        \hat A = D^{-1/2} M D^{-1/2}

    with the sums of the rows of ``M`` in ``D``: `ML-GCN
    <https://arxiv.org/abs/1904.03582>`_, Eq. 6 to 8. A class takes from those
    that it implies. A class without images is linked to itself only.

    Note:
        The paper weighs neighbours by 0.2 and the class itself by 0.8, which
        is the ratio 0.25 of the published code. That code divides by the sums
        of columns, and transposes.

    Args:
        co_occurrence (np.ndarray): (C, C) images that hold both classes, see
            :func:`mmlt.class_stats.co_occurrence.co_occurrence`.
        threshold (float): ``t``, the least conditional probability of a link,
            in (0, 1].
        neighbour_weight (float): ``p``, of all links of a class together.

    Returns:
        np.ndarray: (C, C) float64.

    Raises:
        ValueError: If no two classes are linked.
    """
    count = np.asarray(co_occurrence, dtype=np.float64)
    probability = count / np.maximum(count.diagonal(), 1)[:, None]
    np.fill_diagonal(probability, 0)
    linked = probability >= threshold
    if not linked.any():
        raise ValueError(
            f'threshold={threshold} leaves a graph without edges: no class '
            'implies another with more than a probability of '
            f'{probability.max():.3g}; lower it, or take a head without a '
            'graph'
        )
    graph = neighbour_weight * linked / (linked.sum(1, keepdims=True) + 1e-6)
    graph += np.eye(len(count))
    scale = graph.sum(1) ** -0.5
    return scale[:, None] * graph * scale


class GraphConvolution(nn.Linear):
    """``A X W``, without a bias."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, bias=False)

    def reset_parameters(self) -> None:
        """As in the published code, by the width of the output."""
        bound = self.out_features**-0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, node: Tensor, adjacency: Tensor) -> Tensor:
        """Map (C, in_features) to (C, out_features)."""
        return adjacency @ super().forward(node)


@MODELS.register_module()
class GCNHead(MultiLabelClsHead):
    """Multi-label head whose classifiers come from a graph of the labels.

    `ML-GCN <https://arxiv.org/abs/1904.03582>`_: two graph convolutions with a
    leaky ReLU (0.2) between make the weights of all classes, (C, D), from a
    vector of each. Classes that come together share what they learn.

    ``mmlt.ClassStatsHook`` counts which labels come together in the training
    set, before training. The graph and the word vectors travel in the
    checkpoint: testing needs neither the training set nor the file.

    Args:
        num_classes (int): C.
        in_channels (int): D of the features, behind a neck or, without one,
            of the maps of the last stage, which are max-pooled as in the
            paper.
        hidden_channels (int): Width between the convolutions.
        threshold (float): ``t``, see :func:`label_graph`, in (0, 1].
        neighbour_weight (float): ``p``, see there, > 0.
        word_vectors (str | Path | None): File of word vectors, see
            :func:`~mmlt.models.word_vectors.read_word_vectors`, such as
            ``'data/glove.6B.300d.txt'``. Defaults to None: one-hot vectors.
        word_channels (int): Width of the vectors in the file; without one it
            is C.
        **kwargs: ``loss``, ``thr``, ``topk`` and ``init_cfg`` of MMPretrain's
            ``MultiLabelClsHead``.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If a number is out of range.

    Example:
        >>> head = dict(
        ...     type='mmlt.GCNHead',
        ...     num_classes=80,
        ...     in_channels=256,
        ...     word_vectors='data/glove.6B.300d.txt',
        ... )
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        hidden_channels: int = 1024,
        threshold: float = 0.4,
        neighbour_weight: float = 0.25,
        word_vectors: str | None = None,
        word_channels: int = 300,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = check_size('num_classes', num_classes)
        self.in_channels = check_size('in_channels', in_channels)
        check_size('hidden_channels', hidden_channels)
        check_size('word_channels', word_channels)
        if not check_share('threshold', threshold):
            raise ValueError('threshold must be > 0, got 0: it links all')
        self.threshold = threshold
        self.neighbour_weight = check_number(
            'neighbour_weight', neighbour_weight, positive=True
        )
        if word_vectors is None:
            vectors = torch.eye(num_classes)
        else:
            check_path('word_vectors', word_vectors)
            vectors = torch.zeros(num_classes, word_channels)
        self.word_file = word_vectors
        self.register_buffer('word_vectors', vectors)
        self.register_buffer(
            'adjacency', torch.zeros(num_classes, num_classes)
        )
        self.conv1 = GraphConvolution(vectors.size(1), hidden_channels)
        self.conv2 = GraphConvolution(hidden_channels, in_channels)
        self.is_first_batch = True

    def set_co_occurrence(
        self, co_occurrence: np.ndarray, classes: Sequence[str] | None = None
    ) -> None:
        """Make the graph, and look up the word vectors.

        Args:
            co_occurrence (np.ndarray): (C, C) images that hold both classes.
            classes (Sequence[str] | None): (C,) names, for word vectors.

        Raises:
            FileNotFoundError: If there is no file of word vectors.
            ValueError: If the counts are of other classes, not finite, or
                leave no edge; or if the word vectors do not fit.
        """
        count = np.asarray(co_occurrence)
        size = self.num_classes
        if count.shape != (size, size):
            raise ValueError(
                f'co_occurrence has the shape {count.shape}, but num_classes '
                f'of the head is {size}: expected ({size}, {size}); set '
                'num_classes to the number of classes of the training set'
            )
        if not np.isfinite(count).all() or (count < 0).any():
            raise ValueError(
                'co_occurrence must hold finite counts >= 0, got '
                f'{count[~np.isfinite(count) | (count < 0)][0]}'
            )
        graph = label_graph(count, self.threshold, self.neighbour_weight)
        if self.word_file is not None:
            self.word_vectors.copy_(self._read_words(classes))
        self.adjacency.copy_(torch.from_numpy(graph))

    def _read_words(self, classes: Sequence[str] | None) -> Tensor:
        if classes is None:
            raise ValueError(
                f'word_vectors={str(self.word_file)!r} needs the names of the '
                'classes, and the training set has none; give it '
                'metainfo=dict(classes=...)'
            )
        vectors = read_word_vectors(self.word_file, classes)
        if vectors.shape != self.word_vectors.shape:
            raise ValueError(
                f'word_vectors: {self.word_file} holds vectors of the shape '
                f'{vectors.shape} for the classes, but the head needs '
                f'{tuple(self.word_vectors.shape)}; set word_channels='
                f'{vectors.shape[1]}'
            )
        return torch.from_numpy(vectors)

    def classifiers(self) -> Tensor:
        """(C, D) weights of the classes."""
        if self.is_first_batch and not torch.compiler.is_compiling():
            self._check_graph()
            self.is_first_batch = False
        node = self.conv1(self.word_vectors, self.adjacency)
        return self.conv2(F.leaky_relu(node, 0.2), self.adjacency)

    def _check_graph(self) -> None:
        # Once, since it waits for the device.
        if not self.adjacency.any():
            raise ValueError(
                'GCNHead has no label graph: train with default_hooks=dict('
                "class_stats=dict(type='mmlt.ClassStatsHook')), which counts "
                'the labels, or load a checkpoint that has been'
            )

    def pre_logits(self, feats: tuple[Tensor]) -> Tensor:
        """(B, D) features of the last stage; maps are max-pooled."""
        feature = feats[-1]
        if feature.dim() > 2:
            feature = feature.flatten(2).amax(dim=2)
        if feature.dim() != 2 or feature.size(1) != self.in_channels:
            raise ValueError(
                f'feats has the shape {tuple(feats[-1].shape)}, but '
                f'in_channels is {self.in_channels}; set it to the channels '
                'of the neck or backbone'
            )
        return feature

    def forward(self, feats: tuple[Tensor]) -> Tensor:
        """(B, C) logits."""
        return F.linear(self.pre_logits(feats), self.classifiers())
