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
from itertools import chain
from typing import Any

from mmengine import registry as root

from mmlt.compat import has_mmdet

# What is there with MMDetection only.
DETECTION_TYPES = (
    'BAGSBBoxHead', 'FashionScenes', 'LVISMetric', 'LossShareHook',
    'NCMBBoxHead', 'RoIFeatureHead', 'ShotCocoMetric', 'StitcherHook',
    'TauNormBBoxHead',
)  # fmt: skip


class Registry(root.Registry):
    """A registry that also knows what MMPretrain and MMDetection have.

    Args:
        parent (mmengine.registry.Registry): MMEngine's, whose name it takes.
        location (str): Module to import for its types.
    """

    def __init__(self, parent: root.Registry, location: str = 'mmlt') -> None:
        super().__init__(
            parent.name, parent=parent, scope='mmlt', locations=[location]
        )

    def get(self, key: str) -> Any:
        """The type of this name.

        Raises:
            ImportError: If it needs MMDetection, which is not there.
            KeyError: If no registry has it; names those that are similar.
        """
        scope, _, name = key.rpartition('.')
        if scope not in ('', self.scope):
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
        known = set(self.module_dict)
        # The parent last: it has a RandomFlip, and so has MMDetection.
        for registry in chain(self._libraries(), [self.parent]):
            found = registry.get(name)
            if found is not None:
                return found
            known.update(registry.module_dict)
        close = difflib.get_close_matches(name, sorted(known))
        raise KeyError(
            f'{key} is not in the mmlt::{self.name} registry, nor in '
            f"MMPretrain's or MMDetection's; similar names: {close}"
        )

    def __contains__(self, key: str) -> bool:
        try:
            return self.get(key) is not None
        except (ImportError, KeyError):
            return False

    def _libraries(self) -> Iterator[root.Registry]:
        """This registry of the other libraries, that of the run first."""
        libraries = ['mmpretrain', 'mmdet'] if has_mmdet() else ['mmpretrain']
        # A nested build overwrites the default scope; the outer ones stay.
        around = [
            s.scope_name for s in root.DefaultScope._instance_dict.values()
        ]
        for scope in dict.fromkeys([*reversed(around), *libraries]):
            if scope in libraries:
                import_module(f'{scope}.registry')
            if scope != self.scope and scope in self.parent.children:
                yield self.parent.children[scope]


DATASETS = Registry(root.DATASETS, 'mmlt.datasets')
DATA_SAMPLERS = Registry(root.DATA_SAMPLERS, 'mmlt.datasets.samplers')
TRANSFORMS = Registry(root.TRANSFORMS, 'mmlt.datasets.transforms')
MODELS = Registry(root.MODELS, 'mmlt.models')
TASK_UTILS = Registry(root.TASK_UTILS, 'mmlt.models.posthoc')
HOOKS = Registry(root.HOOKS, 'mmlt.engine.hooks')
LOOPS = Registry(root.LOOPS, 'mmlt.engine.loops')
OPTIM_WRAPPERS = Registry(root.OPTIM_WRAPPERS, 'mmlt.engine.optim_wrappers')
METRICS = Registry(root.METRICS, 'mmlt.evaluation.metrics')

# An inherited base has the scope on its optimizer and its schedule, too.
for _parent in [*vars(root).values()]:
    if isinstance(_parent, root.Registry) and 'mmlt' not in _parent.children:
        Registry(_parent)
