from .fashion_scenes import FashionScenes
from .inaturalist import INaturalist
from .long_tailed import LongTailedDataset

__all__ = ['FashionScenes', 'INaturalist', 'LongTailedDataset']
