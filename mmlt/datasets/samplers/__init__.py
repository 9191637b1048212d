from .bilateral import BilateralBatchSampler
from .class_aware import ClassAwareSampler
from .class_frequency import ClassFrequencySampler, ReversedSampler
from .deferred import DeferredSampler
from .progressive import ProgressiveSampler
from .shared_stream import SharedStreamSampler

__all__ = [
    'BilateralBatchSampler',
    'ClassAwareSampler',
    'ClassFrequencySampler',
    'DeferredSampler',
    'ProgressiveSampler',
    'ReversedSampler',
    'SharedStreamSampler',
]
