from .bilateral import BilateralBatchSampler
from .class_aware import ClassAwareSampler
from .class_frequency import ClassFrequencySampler, ReversedSampler
from .deferred import DeferredSampler
from .progressive import ProgressiveSampler
from .repeat_factor import RepeatFactorSampler
from .shared_stream import SharedStreamSampler

__all__ = [
    'BilateralBatchSampler',
    'ClassAwareSampler',
    'ClassFrequencySampler',
    'DeferredSampler',
    'ProgressiveSampler',
    'RepeatFactorSampler',
    'ReversedSampler',
    'SharedStreamSampler',
]
