from .fashion_scenes import FashionScenes
from .inaturalist import INaturalist
from .long_tailed import LongTailedDataset
from .multi_label_from_instances import MultiLabelFromInstances

__all__ = [
    'FashionScenes',
    'INaturalist',
    'LongTailedDataset',
    'MultiLabelFromInstances',
]
