from .annotations import GROUPS, Annotations, load_annotations
from .protocol import (
    Curves,
    Detections,
    evaluate,
    mean_precision,
    summarize,
)

__all__ = [
    'GROUPS',
    'Annotations',
    'Curves',
    'Detections',
    'evaluate',
    'load_annotations',
    'mean_precision',
    'summarize',
]
