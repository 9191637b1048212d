from .protocol import (
    GROUPS,
    Curves,
    Detections,
    evaluate,
    load_annotations,
    mean_precision,
    summarize,
)

__all__ = [
    'GROUPS',
    'Curves',
    'Detections',
    'evaluate',
    'load_annotations',
    'mean_precision',
    'summarize',
]
