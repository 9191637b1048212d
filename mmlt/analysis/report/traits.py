"""What of a training set decides between methods.

docs/report.md says where the bounds come from.
"""

from __future__ import annotations

from dataclasses import dataclass

SINGLE, MULTI, BOXES = 'single-label', 'multi-label', 'detection'
TASKS = (SINGLE, MULTI, BOXES)

# The mildest tail of the long-tailed benchmarks (CIFAR with a factor of 10).
MILD_IMBALANCE = 10
# Classes in an image: below it, fewer than one image in five has a second one.
FEW_LABELS = 1.2


@dataclass(frozen=True)
class Traits:
    """What of a training set decides between methods.

    Args:
        imbalance (float): Largest count of images over smallest, of the
            classes that have some.
        rare (int): Classes of the rarest group.
        empty (int): Classes without images.
        cardinality (float): Classes in an image, on average.
        threshold (float): ``t`` of repeat factor sampling.
        instances (bool): Whether some image holds a class twice.
    """

    imbalance: float
    rare: int
    empty: int
    cardinality: float
    threshold: float
    instances: bool

    @property
    def long_tail(self) -> bool:
        """Whether it is more than mild."""
        return self.imbalance >= MILD_IMBALANCE

    @property
    def rare_classes(self) -> bool:
        """Whether a second stage has something to make up for."""
        return self.long_tail and self.rare > 0

    @property
    def several_labels(self) -> bool:
        """Whether sampling a class brings others."""
        return self.cardinality >= FEW_LABELS
