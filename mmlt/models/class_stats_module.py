"""Base of the modules that need class statistics."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mmlt.class_stats import ClassStats

HOW_TO_GIVE_STATS = (
    "give it a list of counts or a JSON file (class_stats='stats.json', "
    'written by tools/analysis_tools/class_stats.py), or add '
    "custom_hooks=[dict(type='mmlt.ClassStatsHook')] to count the training "
    'set, or load a checkpoint that was trained with that hook'
)


class ClassStatsModule(nn.Module):
    """A module that keeps the class statistics in its buffers.

    A checkpoint carries them, so that it tests and resumes without the
    training annotations. What the config gives (``class_stats``) wins over
    the hook and over a checkpoint.

    Subclasses end their ``__init__`` with ``init_class_stats(class_stats)``,
    derive what they need in :meth:`on_class_stats`, as non-persistent
    buffers, and call :meth:`check_class_stats` in ``forward``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.class_stats_given = False
        empty = torch.zeros(0, dtype=torch.long)
        self.register_buffer('image_count', empty)
        self.register_buffer('instance_count', empty.clone())
        self.register_buffer('num_images', torch.zeros((), dtype=torch.long))

    def init_class_stats(self, class_stats: Any) -> None:
        """Take the statistics of the config, if it gives any.

        Args:
            class_stats (ClassStats | dict | list | str | None): See
                :meth:`mmlt.class_stats.ClassStats.from_any`.
        """
        stats = ClassStats.from_any(class_stats)
        self.class_stats_given = stats is not None
        if stats is not None:
            self._store(stats)

    @property
    def class_stats(self) -> ClassStats | None:
        """The statistics in the buffers; None before there are any."""
        if not self.image_count.numel():
            return None
        instance_count = self.instance_count.tolist()
        return ClassStats(
            self.image_count.tolist(),
            instance_count or None,
            int(self.num_images),
        )

    def set_class_stats(self, stats: ClassStats) -> None:
        """Take ``stats``, unless the config has given others."""
        if not self.class_stats_given:
            self._store(stats)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Derive buffers from new statistics; raise if unusable."""

    def check_class_stats(self) -> None:
        """Raise if there are no statistics yet.

        Raises:
            ValueError: Says the three ways to give them.
        """
        if not self.image_count.numel():
            raise ValueError(
                f'{type(self).__name__} has no class statistics: '
                f'{HOW_TO_GIVE_STATS}'
            )

    def _store(self, stats: ClassStats) -> None:
        # Derive first: statistics that it refuses are not kept.
        self.on_class_stats(stats)
        instance_count = stats.instance_count
        if instance_count is None:
            instance_count = ()
        self.image_count = self.image_count.new_tensor(
            stats.image_count.tolist()
        )
        self.instance_count = self.instance_count.new_tensor(
            list(instance_count)
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
