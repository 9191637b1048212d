from .annotations import GROUPS, Annotations, load_annotations
from .pool import pooled
from .protocol import (
    Curves,
    Detections,
    error_types,
    evaluate,
    mean_precision,
    summarize,
)

__all__ = [
    'GROUPS',
    'Annotations',
    'Curves',
    'Detections',
    'error_types',
    'evaluate',
    'load_annotations',
    'mean_precision',
    'pooled',
    'summarize',
]
