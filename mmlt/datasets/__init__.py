from .inaturalist import INaturalist
from .long_tailed import LongTailedDataset

__all__ = ['INaturalist', 'LongTailedDataset']
