"""The value that says how often each class occurs in the training set.

:class:`ClassStats` is the one source of class frequencies in mmlt: losses,
samplers, metrics and tools all take it. C classes, N images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from . import storage
from .checks import (
    as_counts,
    as_dimensions,
    as_whole,
    check_beta,
    check_by,
    check_thresholds,
    shorten,
)
from .names import first_difference


@dataclass(frozen=True, eq=False)
class ClassStats:
    """Class frequencies of a training set; immutable.

    Args:
        image_count (Sequence[int]): (C,) number of images that hold the
            class.
        instance_count (Sequence[int] | None): (C,) number of annotated
            instances of the class; the same as ``image_count`` for
            single-label data. None if it is not known: then whatever needs
            it raises.
        num_images (int | None): Number of training images, those without a
            label included. Defaults to the sum of ``image_count``, which is
            right for single-label data only.
        classes (Sequence[str] | None): Class names.
        fractal_dimension (Sequence[float] | None): (C,) in [1, 2], how the
            boxes of the class spread over images, see
            :func:`mmlt.class_stats.fractal_dimension.fractal_dimension`. None
            if it is not known.

    Raises:
        ValueError: If counts are negative, not whole or not finite, all
            zero, of unequal length or larger than ``num_images``, or a
            dimension is none.
    """

    image_count: np.ndarray
    instance_count: np.ndarray | None = None
    num_images: int | None = None
    classes: tuple[str, ...] | None = None
    fractal_dimension: np.ndarray | None = None

    def __post_init__(self) -> None:
        image_count = as_counts('image_count', self.image_count)
        instance_count = self.instance_count
        if instance_count is not None:
            instance_count = as_counts('instance_count', instance_count)
            if len(instance_count) != len(image_count):
                raise ValueError(
                    f'instance_count has {len(instance_count)} entries and '
                    f'image_count {len(image_count)}; give one for each class'
                )
            fewer = np.flatnonzero(instance_count < image_count)
            if fewer.size:
                raise ValueError(
                    f'instance_count of class {fewer[0]} is '
                    f'{instance_count[fewer[0]]}, less than its image_count '
                    f'{image_count[fewer[0]]}; every image that holds a class '
                    'has an instance of it'
                )
        num_images = self.num_images
        if num_images is None:
            num_images = int(image_count.sum())
        num_images = as_whole('num_images', num_images)
        if image_count.max() > num_images:
            raise ValueError(
                f'image_count of class {image_count.argmax()} is '
                f'{image_count.max()}, more than num_images={num_images}'
            )
        classes = self.classes
        if classes is not None:
            if isinstance(classes, (str, bytes)) or not isinstance(
                classes, (Sequence, np.ndarray)
            ):
                raise ValueError(
                    'classes must be a list of names, one for each class, '
                    f'got {shorten(classes)}'
                )
            classes = tuple(str(name) for name in classes)
            if len(classes) != len(image_count):
                raise ValueError(
                    f'classes has {len(classes)} names and image_count '
                    f'{len(image_count)} entries; give one name a class'
                )
        dimension = self.fractal_dimension
        if dimension is not None:
            dimension = as_dimensions(dimension, len(image_count))
        object.__setattr__(self, 'image_count', image_count)
        object.__setattr__(self, 'instance_count', instance_count)
        object.__setattr__(self, 'num_images', num_images)
        object.__setattr__(self, 'classes', classes)
        object.__setattr__(self, 'fractal_dimension', dimension)

    @classmethod
    def single_label(
        cls, count: Sequence[int], classes: Sequence[str] | None = None
    ) -> ClassStats:
        """Statistics of single-label data: one instance an image.

        Args:
            count (Sequence[int]): (C,) training images of each class.
            classes (Sequence[str] | None): Class names.
        """
        return cls(count, count, None, classes)

    @property
    def num_classes(self) -> int:
        return len(self.image_count)

    def count(self, by: str = 'image') -> np.ndarray:
        """(C,) int64 image or instance count.

        Args:
            by (str): ``'image'`` or ``'instance'``.

        Raises:
            ValueError: For another ``by``, or if instance counts are asked
                for and not known.
        """
        check_by(by)
        if by == 'image':
            return self.image_count
        if self.instance_count is None:
            raise ValueError(
                "by='instance': these class statistics hold image counts "
                "only; use by='image', or count the training set with "
                'tools/analysis_tools/class_stats.py and give that JSON'
            )
        return self.instance_count

    def prior(self, by: str = 'image', smoothing: float = 0.0) -> np.ndarray:
        """(C,) float64 class prior ``pi_k = (n_k + s) / sum_j (n_j + s)``.

        Args:
            by (str): ``'image'`` or ``'instance'`` counts.
            smoothing (float): ``s``, added to each count.
        """
        if not (np.isfinite(smoothing) and smoothing >= 0):
            raise ValueError(
                f'smoothing must be finite and >= 0, got {smoothing}'
            )
        count = self.count(by) + float(smoothing)
        return count / count.sum()

    def positive_count(
        self, by: str = 'image', zero_count: str = 'one'
    ) -> np.ndarray:
        """(C,) int64 counts that can be divided by.

        Args:
            by (str): ``'image'`` or ``'instance'`` counts.
            zero_count (str): What to do with a class that the training set
                lacks: ``'one'`` (count it as one: it is as rare as a class
                can be) or ``'error'``.

        Raises:
            ValueError: For a zero count, under ``'error'``, and for an
                unknown policy.
        """
        count = self.count(by)
        if zero_count not in ('error', 'one'):
            raise ValueError(
                f"zero_count must be 'error' or 'one', got {zero_count!r}"
            )
        empty = np.flatnonzero(count == 0)
        if empty.size and zero_count == 'error':
            names = [
                self.classes[k] if self.classes else int(k) for k in empty[:5]
            ]
            raise ValueError(
                f'class_stats: {empty.size} classes have no training {by} '
                f'(first: {names}), so their log prior is infinite; '
                "zero_count='one' counts each of them as one, or remove them"
            )
        return np.maximum(count, 1)

    def log_prior(
        self,
        by: str = 'image',
        zero_count: str = 'error',
        background: str | float = 'mean',
    ) -> np.ndarray:
        """Log class prior, relative to that of the background.

        ``log pi_k - log pi_bg``. Over the classes alone the constant
        ``log pi_bg`` has no effect on a softmax. Beside a background column,
        which never changes, it decides how the foreground as a whole moves.

        Args:
            by (str): ``'image'`` or ``'instance'`` counts.
            zero_count (str): ``'error'`` or ``'one'``, see
                :meth:`positive_count`.
            background (str | float): The prior ``pi_bg``: ``'mean'`` (1/C,
                so that balanced classes change nothing), ``'sum'`` (1, the
                formula as it is for classification), or a positive number.

        Returns:
            np.ndarray: (C,) float64.

        Raises:
            ValueError: For a zero count, under ``'error'``, and for an
                unknown policy.
        """
        count = self.positive_count(by, zero_count)
        priors = {'mean': 1 / len(count), 'sum': 1.0}
        prior = priors.get(background, background)
        if isinstance(prior, str) or not (math.isfinite(prior) and prior > 0):
            raise ValueError(
                "background must be 'mean', 'sum' or a positive prior, got "
                f'{background!r}'
            )
        return np.log(count / count.sum()) - np.log(prior)

    def groups(
        self, thresholds: Sequence[int] | str, by: str = 'image'
    ) -> np.ndarray:
        """(C,) int64 frequency group of each class, 0 the rarest.

        Group ``g`` holds the classes with
        ``thresholds[g - 1] <= n_k < thresholds[g]``: ``(20, 101)`` gives few
        (< 20), medium (20..100) and many (> 100).

        Args:
            thresholds (Sequence[int] | str): Rising counts, each the first
                of the next group, or the name of a paper's code:

                - ``'classifier_balancing'``: (20, 101), which is also what
                  the text of `OLTR <https://arxiv.org/abs/1904.05160>`_ says;
                - ``'oltr'``: (21, 100), its code: few <= 20, many >= 100;
                - ``'db_loss'``: (20, 100), the code of `Distribution-Balanced
                  Loss <https://arxiv.org/abs/2007.09654>`_: tail < 20, head
                  >= 100.
            by (str): ``'image'`` or ``'instance'`` counts.

        Raises:
            ValueError: If the thresholds do not rise or are not positive.
        """
        thresholds = check_thresholds(thresholds)
        return np.digitize(self.count(by), thresholds).astype(np.int64)

    def effective_number(self, beta: float, by: str = 'image') -> np.ndarray:
        """(C,) effective number of samples ``(1 - beta^n_k) / (1 - beta)``.

        `Class-Balanced Loss <https://arxiv.org/abs/1901.05555>`_, Eq. 2.

        Args:
            beta (float): In [0, 1).
            by (str): ``'image'`` or ``'instance'`` counts.

        Raises:
            TypeError: If ``beta`` is no number.
            ValueError: If it is out of range.
        """
        check_beta(beta)
        return (1 - beta ** self.count(by).astype(float)) / (1 - beta)

    def imbalance_factor(self, by: str = 'image') -> float:
        """Largest count over smallest; infinite if a class is empty."""
        count = self.count(by)
        return float(count.max() / count.min()) if count.min() else np.inf

    def gini(self, by: str = 'image') -> float:
        """Gini coefficient of the counts: 0 balanced, towards 1 skewed."""
        count = np.sort(self.count(by)).astype(float)
        rank = np.arange(1, len(count) + 1)
        weight = 2 * rank - len(count) - 1
        return float((weight * count).sum() / (len(count) * count.sum()))

    def to_dict(self) -> dict:
        """Plain lists and numbers, as in the JSON file."""
        content = {
            'num_images': self.num_images,
            'classes': None if self.classes is None else list(self.classes),
            'image_count': self.image_count.tolist(),
            'instance_count': None
            if self.instance_count is None
            else self.instance_count.tolist(),
        }
        if self.fractal_dimension is not None:
            content['fractal_dimension'] = self.fractal_dimension.tolist()
        return content

    def to_json(self, path: str | Path) -> None:
        """Write :meth:`to_dict` to ``path``, all of it or nothing."""
        storage.write_json(path, self.to_dict())

    @classmethod
    def from_json(cls, path: str | Path) -> ClassStats:
        """Read a file that :meth:`to_json` wrote.

        Args:
            path (str | Path): The file, or the name of statistics that come
                with mmlt (``'lvis_v1'``).

        Raises:
            FileNotFoundError: If there is no such file or name.
            ValueError: If the file is no JSON or lacks what is needed.
        """
        content = storage.read_json(path)
        try:
            return cls.from_dict(content)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'class_stats: {str(path)!r} does not hold class statistics: '
                f'{error}'
            ) from error

    @classmethod
    def from_checkpoint(cls, checkpoint: dict) -> ClassStats | None:
        """The statistics that a checkpoint carries; None if it has none.

        Args:
            checkpoint (dict): What a run with ``ClassStatsHook`` saved, or
                one with a loss that keeps them in its buffers.

        Raises:
            ValueError: If they are damaged; names the entry.
        """
        found = storage.find_in_checkpoint(checkpoint)
        if found is None:
            return None
        field, content = found
        try:
            return cls.from_dict(content)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'checkpoint: {field} does not hold class statistics: '
                f'{error}; take an intact checkpoint, or remove what is there'
            ) from error

    @classmethod
    def from_dict(cls, content: dict) -> ClassStats:
        """From a dict with the constructor's arguments.

        With nothing but ``image_count``, the data are taken to be
        single-label.
        """
        if not isinstance(content, dict) or 'image_count' not in content:
            raise ValueError(
                'class_stats needs the key `image_count` with one count a '
                f'class, got {shorten(content)}'
            )
        names = {field.name for field in fields(cls)}
        unknown = sorted(set(content) - names)
        if unknown:
            raise ValueError(
                f'class_stats has unknown keys {unknown}; known are '
                f'{sorted(names)}'
            )
        if set(content) <= {'image_count', 'classes'}:
            return cls.single_label(
                content['image_count'], content.get('classes')
            )
        return cls(**content)

    @classmethod
    def from_any(cls, value: Any) -> ClassStats | None:
        """What modules accept as their argument ``class_stats``.

        Args:
            value: None (stays None), a :class:`ClassStats`, a dict as in
                :meth:`from_dict`, a sequence of counts (single-label), a
                path or name as in :meth:`from_json`, or the path of a
                checkpoint (``.pth``).

        Raises:
            TypeError: For anything else.
            FileNotFoundError: If there is no such file or name.
            ValueError: If it does not hold class statistics.
        """
        if value is None or isinstance(value, ClassStats):
            return value
        if isinstance(value, (str, Path)):
            if Path(value).suffix != '.pth':
                return cls.from_json(value)
            checkpoint = storage.load_tensors(value, 'class_stats')
            try:
                stats = cls.from_checkpoint(checkpoint)
            except ValueError as error:
                raise ValueError(
                    f'class_stats: {str(value)!r}: {error}'
                ) from error
            if stats is None:
                raise ValueError(
                    f'class_stats: {str(value)!r} holds none; give the JSON '
                    'that tools/analysis_tools/class_stats.py writes'
                )
            return stats
        if isinstance(value, (dict, Sequence, np.ndarray)):
            is_dict = isinstance(value, dict)
            try:
                return (cls.from_dict if is_dict else cls.single_label)(value)
            except ValueError as error:
                raise ValueError(f'class_stats: {error}') from error
        raise TypeError(
            'class_stats must be None, a path, a dict with image_count, a '
            f'list of counts or ClassStats, got {type(value).__name__}'
        )

    def aligned_to(
        self, classes: Sequence[str] | None, owner: str = 'the data set'
    ) -> ClassStats:
        """The same statistics, in the order of ``classes``.

        Args:
            classes (Sequence[str] | None): (C,) names. Where these or those
                of the statistics are not known, the order is taken to be
                the same.
            owner (str): Whose names they are, for errors.

        Returns:
            ClassStats: Itself if the order is the same.

        Raises:
            ValueError: For another number of classes, or other names.
        """
        if classes is None:
            return self
        classes = tuple(str(name) for name in classes)
        if len(classes) != self.num_classes:
            raise ValueError(
                f'{owner} has {len(classes)} classes, but the class '
                f'statistics hold {self.num_classes}; give class_stats one '
                'count for each class'
            )
        if self.classes is None or self.classes == classes:
            return self
        # A name that stands twice does not say where it belongs.
        if set(classes) != set(self.classes) or len(set(classes)) < len(
            classes
        ):
            raise ValueError(
                f'the class statistics have other class names than {owner}: '
                f'{first_difference(self.classes, classes)}; give '
                'class_stats of this data set, or the data set its names by '
                'metainfo=dict(classes=...)'
            )
        position = {name: k for k, name in enumerate(self.classes)}
        order = [position[name] for name in classes]
        instances, dimension = self.instance_count, self.fractal_dimension
        return type(self)(
            self.image_count[order],
            None if instances is None else instances[order],
            self.num_images,
            classes,
            None if dimension is None else dimension[order],
        )

    def difference(self, other: ClassStats) -> str | None:
        """Where two statistics differ, in words; None if they are equal."""
        if self.num_classes != other.num_classes:
            return f'{self.num_classes} classes against {other.num_classes}'
        for name in ('image_count', 'instance_count', 'fractal_dimension'):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is None or theirs is None:
                continue
            changed = np.flatnonzero(mine != theirs)
            if changed.size:
                first = int(changed[0])
                label = self.classes[first] if self.classes else first
                return (
                    f'{name} of {changed.size} classes, first of class '
                    f'{label}: {mine[first]} against {theirs[first]}'
                )
        if self.num_images != other.num_images:
            return f'num_images {self.num_images} against {other.num_images}'
        return None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClassStats):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __reduce__(self) -> tuple:
        # Through __init__: a plain copy of the arrays would be writeable.
        values = [getattr(self, field.name) for field in fields(self)]
        return type(self), tuple(values)

    def __hash__(self) -> int:
        return hash((self.image_count.tobytes(), self.num_images))
