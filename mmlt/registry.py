"""Registries of mmlt, children of MMEngine's, under the scope ``mmlt``.

A config writes ``type='mmlt.X'``; MMEngine imports this module and then the
``locations`` when it first meets the scope, so nothing needs importing by
hand.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='mmlt',
    locations=['mmlt.datasets'],
)
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=MMENGINE_DATA_SAMPLERS,
    scope='mmlt',
    locations=['mmlt.datasets.samplers'],
)
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='mmlt',
    locations=['mmlt.datasets'],
)
MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmlt',
    locations=['mmlt.models'],
)
TASK_UTILS = Registry(
    'task util',
    parent=MMENGINE_TASK_UTILS,
    scope='mmlt',
    locations=['mmlt.models.classifier_edits'],
)
HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope='mmlt',
    locations=['mmlt.engine.hooks'],
)
METRICS = Registry(
    'metric',
    parent=MMENGINE_METRICS,
    scope='mmlt',
    locations=['mmlt.evaluation.metrics'],
)
