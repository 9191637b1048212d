"""The label of a mixed image on long-tailed data. B batch, C classes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mmlt.checks import check_number, check_share
from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import ClassStatsModule


def remix_lambda(
    lam: Tensor, n_a: Tensor, n_b: Tensor, kappa: float, tau: float
) -> Tensor:
    r"""Weight of the first label of each pair.

    `Remix <https://arxiv.org/abs/2007.03943>`_, Eq. 8:

    .. math::
        \lambda_y = \begin{cases}
            0 & n_a / n_b \ge \kappa,\ \lambda < \tau \\
            1 & n_a / n_b \le 1 / \kappa,\ 1 - \lambda < \tau \\
            \lambda & \text{else}
        \end{cases}

    Args:
        lam (Tensor): 0-dim, weight of the first image.
        n_a (Tensor): (B,) training images of the class of the first image.
        n_b (Tensor): (B,) of the second.
        kappa (float): From which ratio on one class is rare beside the other.
        tau (float): Weight of the frequent class below which it has no part
            in the label.

    Returns:
        Tensor: (B,), of the dtype of ``lam``.
    """
    goes_to_b = (n_a >= kappa * n_b) & (lam < tau)
    goes_to_a = (n_b >= kappa * n_a) & (1 - lam < tau)
    weight = lam.expand_as(n_a).masked_fill(goes_to_a, 1.0)
    return weight.masked_fill(goes_to_b, 0.0)


class Remix(ClassStatsModule):
    """:func:`remix_lambda` with the class statistics.

    Args:
        num_classes (int): C.
        kappa (float): At least 1.
        tau (float): In [0, 1].
        class_stats (ClassStats | dict | list | str | None): See
            :meth:`mmlt.class_stats.ClassStats.from_any`.

    Raises:
        TypeError: If a number is none.
        ValueError: If a number is out of range, or the statistics hold
            another number of classes.
    """

    def __init__(
        self,
        num_classes: int,
        kappa: float = 3.0,
        tau: float = 0.5,
        class_stats: Any = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.kappa = check_number("remix['kappa']", kappa, least=1.0)
        self.tau = check_share("remix['tau']", tau)
        self.init_class_stats(class_stats)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Raise unless there is a count for each class of the head."""
        if stats.num_classes != self.num_classes:
            raise ValueError(
                f'class_stats hold {stats.num_classes} classes, but the head '
                f'has num_classes={self.num_classes}: set it to the number '
                'of classes of the data set'
            )

    def forward(self, lam: Tensor, label_a: Tensor, label_b: Tensor) -> Tensor:
        """Weights (B,) of the first of two labels, (B,) each."""
        self.check_class_stats()
        count = self.image_count
        return remix_lambda(
            lam, count[label_a], count[label_b], self.kappa, self.tau
        )
