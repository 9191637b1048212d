"""Who receives class statistics, and which ones win.

The rule, for modules, metrics and hooks alike:

1. what the config gives (``class_stats=...``) always wins;
2. else, in training, the counts of the present training set, also over those
   of a loaded checkpoint;
3. else, in testing, those of the checkpoint.

:class:`ClassStatsReceiver` keeps the first; ``ClassStatsHook`` calls
``set_class_stats`` with the second or the third.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .stats import ClassStats

HOW_TO_GIVE_STATS = (
    "give it a list of counts or a JSON file (class_stats='stats.json', "
    'written by tools/analysis_tools/class_stats.py), or add '
    "custom_hooks=[dict(type='mmlt.ClassStatsHook')] to count the training "
    'set, or load a checkpoint that was trained with that hook'
)


class ClassStatsReceiver:
    """Mixin of whatever needs class statistics.

    Subclasses end their ``__init__`` with ``init_class_stats(class_stats)``,
    derive what they need in :meth:`on_class_stats`, and call
    :meth:`check_class_stats` before they use it.
    """

    class_stats: ClassStats | None = None
    class_stats_given = False

    def init_class_stats(self, class_stats: Any) -> None:
        """Take the statistics of the config, if it gives any.

        Args:
            class_stats (ClassStats | dict | list | str | None): See
                :meth:`mmlt.class_stats.ClassStats.from_any`.
        """
        stats = ClassStats.from_any(class_stats)
        self.class_stats_given = stats is not None
        if stats is not None:
            self._take(stats)

    def set_class_stats(self, stats: ClassStats | None) -> None:
        """Take ``stats``, unless the config has given others.

        Raises:
            ValueError: If they are of no use here.
        """
        if not self.class_stats_given:
            self._take(stats)

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
        except ValueError as error:
            # Training on other data replaces them, so do not stop here:
            # what loads decides, and MMEngine logs a warning.
            error_msgs = args[-1]
            error_msgs.append(f'class statistics in {prefix}: {error}')
            for name in ('image_count', 'instance_count'):
                setattr(self, name, getattr(self, name).new_empty(0))
