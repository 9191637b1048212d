from .annotations import GROUPS, Annotations, load_annotations
from .pool import pooled
from .protocol import (
    Curves,
    Detections,
    error_types,
    evaluate,
    match,
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
    'match',
    'mean_precision',
    'pooled',
    'summarize',
]
