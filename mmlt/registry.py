"""Registries of mmlt, children of MMEngine's, under the scope ``mmlt``.

A config writes ``type='mmlt.X'``; MMEngine imports this module and then the
``locations`` when it first meets the scope, so nothing needs importing by
hand.

A base that is inherited as ``mmlt::x`` has the scope ``mmlt`` on its typed
dicts. So that it behaves as one of MMPretrain's or MMDetection's, what mmlt
lacks is looked up there: first in the library around it, that is the
``default_scope`` of the run.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import mmengine.registry
from mmengine.registry import DefaultScope

from mmlt.compat import has_mmdet

# What is there with MMDetection only.
DETECTION_TYPES = ('BAGSBBoxHead', 'FashionScenes', 'LVISMetric', 'SeesawLoss')


class Registry(mmengine.registry.Registry):
    """A registry that also knows what MMPretrain and MMDetection have.

    Args:
        parent (mmengine.registry.Registry): MMEngine's, whose name it takes.
        location (str): Module to import for its types.
    """

    def __init__(
        self, parent: mmengine.registry.Registry, location: str
    ) -> None:
        super().__init__(
            parent.name, parent=parent, scope='mmlt', locations=[location]
        )

    def get(self, key: str) -> Any:
        """The type of this name.

        Raises:
            ImportError: If it needs MMDetection, which is not there.
            KeyError: If no registry has it; names those that are similar.
        """
        scope, name = self.split_scope_key(key)
        if scope not in (None, self.scope):
            return super().get(key)
        self.import_from_location()
        if name in self.module_dict:
            return self.module_dict[name]
        if name in DETECTION_TYPES and not has_mmdet():
            raise ImportError(
                f'mmlt.{name} needs MMDetection and MMCV with compiled '
                'operators, which are not installed: pip install '
                "'mmlt[detection]' (onedl: 'mmlt[onedl-detection]')"
            )
        others = list(self._others())
        for other in others:
            found = other.get(name)
            if found is not None:
                return found
        found = super().get(key)
        if found is None:
            known = {*self.module_dict, *self.parent.module_dict}
            known.update(*(other.module_dict for other in others))
            close = difflib.get_close_matches(name, sorted(known))
            raise KeyError(
                f'{key} is not in the mmlt::{self.name} registry, nor in '
                f"MMPretrain's or MMDetection's; similar names: {close}"
            )
        return found

    def __contains__(self, key: str) -> bool:
        try:
            return self.get(key) is not None
        except (ImportError, KeyError):
            return False

    def _others(self) -> Iterator[mmengine.registry.Registry]:
        """The registries of the libraries, that of the run first."""
        # A nested build overwrites the default scope; the outer ones stay.
        around = [s.scope_name for s in DefaultScope._instance_dict.values()]
        scopes = [*reversed(around), 'mmpretrain']
        if has_mmdet():
            scopes.append('mmdet')
        for scope in dict.fromkeys(scopes):
            if scope not in (self.scope, self.parent.scope):
                import_module(f'{scope}.registry')
                if scope in self.parent.children:
                    yield self.parent.children[scope]


DATASETS = Registry(mmengine.registry.DATASETS, 'mmlt.datasets')
DATA_SAMPLERS = Registry(
    mmengine.registry.DATA_SAMPLERS, 'mmlt.datasets.samplers'
)
TRANSFORMS = Registry(mmengine.registry.TRANSFORMS, 'mmlt.datasets.transforms')
MODELS = Registry(mmengine.registry.MODELS, 'mmlt.models')
TASK_UTILS = Registry(mmengine.registry.TASK_UTILS, 'mmlt.models.posthoc')
HOOKS = Registry(mmengine.registry.HOOKS, 'mmlt.engine.hooks')
METRICS = Registry(mmengine.registry.METRICS, 'mmlt.evaluation.metrics')
