"""The norm of each class's classifier weight against its frequency.

In a detector trained on long-tailed data, the weights of rare classes are
short: `BAGS <https://arxiv.org/abs/2006.10408>`_, Fig. 1. C classes, K >= C
rows of the last layer, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from mmlt.class_stats import ClassStats

LAST_LAYERS = ('fc_cls.weight', 'head.fc.weight', 'head.fc2.weight')


def find_weights(
    checkpoint: dict, layers: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """The weights (K, D) of the last linear layers, by name.

    Args:
        checkpoint (dict): Of MMEngine, or a bare state_dict.
        layers (Sequence[str] | None): Names of layers; None searches.

    Raises:
        ValueError: If there is none of them.
    """
    state = checkpoint.get('state_dict', checkpoint)
    matrices = {
        name: value
        for name, value in state.items()
        if name.endswith('.weight') and value.dim() == 2
    }
    if layers is None:
        found = [name for name in matrices if name.endswith(LAST_LAYERS)]
    else:
        found = [f'{name}.weight' for name in layers]
    missing = [name for name in found if name not in matrices]
    if missing or not found:
        what = f'no layer {missing[0]!r}' if missing else 'no classifier'
        raise ValueError(
            f'layers: {what} found; name the last linear layer with '
            f'--layers, out of {list(matrices)[-20:]}'
        )
    return {name.removesuffix('.weight'): matrices[name] for name in found}


def class_norms(weight: Tensor, num_classes: int) -> np.ndarray:
    """(C,) norm of each class's row.

    Args:
        weight (Tensor): (K, D). Rows of no class (background, "others") come
            last and are left out.
        num_classes (int): C.

    Raises:
        ValueError: If there are fewer rows than classes.
    """
    if len(weight) < num_classes:
        raise ValueError(
            f'class_stats: {num_classes} classes, but the classifier has '
            f'{len(weight)} rows; give the statistics of its training set'
        )
    return weight[:num_classes].float().norm(dim=1).numpy()


def log_correlation(count: np.ndarray, norms: np.ndarray) -> float:
    """Correlation of the norm with the logarithm of the count + 1."""
    return float(np.corrcoef(np.log(count + 1), norms)[0, 1])


def draw_classifier_norms(
    stats: ClassStats,
    norms: dict[str, np.ndarray],
    path: str | Path,
    by: str = 'image',
) -> None:
    """Draw norms against counts: classes as dots, running means as lines.

    Args:
        stats (ClassStats): Of the training set, C classes.
        norms (dict[str, np.ndarray]): For each classifier, (C,) norms.
        path (str | Path): The image file to write.
        by (str): ``'image'`` or ``'instance'`` counts.
    """
    count = stats.count(by)
    order = np.argsort(count, kind='stable')
    width = max(stats.num_classes // 20, 1)
    kernel = np.full(width, 1 / width)
    figure = Figure(figsize=(6.5, 4), layout='constrained')
    axes = figure.add_subplot()
    for name, values in norms.items():
        (dots,) = axes.plot(count, values, '.', alpha=0.35)
        axes.plot(
            np.convolve(count[order], kernel, 'valid'),
            np.convolve(values[order], kernel, 'valid'),
            color=dots.get_color(),
            label=name,
        )
    axes.set_xscale('log' if count.all() else 'symlog')
    axes.set_xlabel(f'training {by}s of the class')
    axes.set_ylabel('norm of the classifier weight')
    axes.legend()
    figure.savefig(path, dpi=150)
