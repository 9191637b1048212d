from .annotations import GROUPS, Annotations, load_annotations
from .protocol import (
    Curves,
    Detections,
    error_types,
    evaluate,
    mean_precision,
    pooled,
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
