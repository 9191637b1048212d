"""Who receives class statistics, and which ones win.

The rule, for modules, metrics and hooks alike:

1. what the config gives (``class_stats=...``) always wins;
2. else, in training, the counts of the present training set, also over those
   of a loaded checkpoint;
3. else, in testing, those of the checkpoint.

:class:`ClassStatsReceiver` keeps the first; ``ClassStatsHook`` calls
``set_class_stats`` with the second or the third, and ``align_class_stats``
with the names of the classes, since what the config gives may have them in
another order.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from torch import nn

from .stats import ClassStats

HOW_TO_GIVE_STATS = (
    "give it a list of counts or a JSON file (class_stats='stats.json', "
    'written by tools/analysis_tools/class_stats.py), or add '
    "custom_hooks=[dict(type='mmlt.ClassStatsHook')] to count the training "
    'set, or load a checkpoint that was trained with that hook'
)


def align(
    stats: ClassStats,
    classes: Sequence[str] | None,
    receiver: str,
    owner: str,
) -> ClassStats:
    """:meth:`ClassStats.aligned_to`, with a word in the log.

    Args:
        stats (ClassStats): Of C classes.
        classes (Sequence[str] | None): (C,) names, if known.
        receiver (str): Who has the statistics.
        owner (str): Who has the names.

    Raises:
        ValueError: If they are other classes.
    """
    try:
        aligned = stats.aligned_to(classes, owner)
    except ValueError as error:
        raise ValueError(f'class_stats of {receiver}: {error}') from error
    if aligned is not stats:
        print_log(
            f'{receiver}: the class statistics have their classes in another '
            f'order than {owner}, and were put in that order.',
            logger='current',
            level=logging.WARNING,
        )
    return aligned


class ClassStatsReceiver:
    """Mixin of whatever needs class statistics.

    Subclasses end their ``__init__`` with ``init_class_stats(class_stats)``,
    derive what they need in :meth:`on_class_stats`, and call
    :meth:`check_class_stats` before they use it.
    """

    class_stats: ClassStats | None = None
    given_class_stats: ClassStats | None = None

    @property
    def class_stats_given(self) -> bool:
        """Whether the config has given them."""
        return self.given_class_stats is not None

    def init_class_stats(self, class_stats: Any) -> None:
        """Take the statistics of the config, if it gives any.

        Args:
            class_stats (ClassStats | dict | list | str | None): See
                :meth:`mmlt.class_stats.ClassStats.from_any`.
        """
        self.given_class_stats = ClassStats.from_any(class_stats)
        if self.class_stats_given:
            self._take(self.given_class_stats)

    def set_class_stats(self, stats: ClassStats | None) -> None:
        """Take ``stats``, unless the config has given others.

        Raises:
            ValueError: If they are of no use here.
        """
        if not self.class_stats_given:
            self._take(stats)

    def align_class_stats(
        self, classes: Sequence[str] | None, owner: str = 'the data set'
    ) -> None:
        """Put what the config has given in the order of the data set.

        Args:
            classes (Sequence[str] | None): (C,) names, if known.
            owner (str): Whose they are, for the log and errors.

        Raises:
            ValueError: If they are other classes.
        """
        given = self.given_class_stats
        if given is None:
            return
        stats = align(given, classes, type(self).__name__, owner)
        if stats is not given:
            self._take(stats)
            self.given_class_stats = stats

    def on_class_stats(self, stats: ClassStats) -> None:
        """Derive what is needed from new statistics; raise if unusable."""

    def check_class_stats(self) -> None:
        """Raise if there are no statistics yet.

        Raises:
            ValueError: Says the ways to give them.
        """
        if self.class_stats is None:
            raise ValueError(
                f'{type(self).__name__} has no class statistics: '
                f'{HOW_TO_GIVE_STATS}'
            )

    def _take(self, stats: ClassStats) -> None:
        # Derive first: statistics that it refuses are not kept.
        self.on_class_stats(stats)
        self._keep(stats)

    def _keep(self, stats: ClassStats) -> None:
        self.class_stats = stats


class ClassStatsModule(ClassStatsReceiver, nn.Module):
    """A module that keeps the class statistics in its buffers.

    A checkpoint carries them, so that it tests and resumes without the
    training annotations. What a subclass derives are non-persistent buffers.
    """

    def __init__(self) -> None:
        super().__init__()
        empty = torch.zeros(0, dtype=torch.long)
        self.register_buffer('image_count', empty)
        self.register_buffer('instance_count', empty.clone())
        self.register_buffer('num_images', torch.zeros((), dtype=torch.long))

    @property
    def class_stats(self) -> ClassStats | None:
        """The statistics in the buffers; None before there are any."""
        if not self.image_count.numel():
            return None
        return ClassStats(
            self.image_count.tolist(),
            self.instance_count.tolist() or None,
            int(self.num_images),
        )

    def check_class_stats(self) -> None:
        """See the base; without making the statistics from the buffers."""
        if not self.image_count.numel():
            super().check_class_stats()

    def _keep(self, stats: ClassStats) -> None:
        instances = stats.instance_count
        self.image_count = self.image_count.new_tensor(
            stats.image_count.tolist()
        )
        self.instance_count = self.instance_count.new_tensor(
            [] if instances is None else instances.tolist()
        )
        self.num_images.fill_(stats.num_images)

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        buffers = ('image_count', 'instance_count', 'num_images')
        loaded = {name: state_dict.get(prefix + name) for name in buffers}
        complete = all(value is not None for value in loaded.values())
        if self.class_stats_given or not complete:
            # The config wins; a checkpoint without statistics changes none.
            for name in buffers:
                state_dict[prefix + name] = getattr(self, name)
        else:
            for name, value in loaded.items():
                own = getattr(self, name)
                setattr(self, name, own.new_empty(value.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)
        try:
            if self.class_stats is not None:
                self.on_class_stats(self.class_stats)
        except (RuntimeError, ValueError) as error:
            # Training on other data replaces them, so do not stop here:
            # what loads decides, and MMEngine logs a warning.
            error_msgs = args[-1]
            error_msgs.append(f'class statistics in {prefix}: {error}')
            for name in ('image_count', 'instance_count'):
                setattr(self, name, getattr(self, name).new_empty(0))
            self.num_images = self.num_images.new_zeros(())
