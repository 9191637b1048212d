from .fashion_scenes import FashionScenes
from .inaturalist import INaturalist
from .load_image_feature import LoadImageFeature
from .long_tailed import LongTailedDataset
from .multi_label_from_instances import MultiLabelFromInstances
from .multi_label_lt import COCOMLT, VOCMLT

__all__ = [
    'COCOMLT',
    'VOCMLT',
    'FashionScenes',
    'INaturalist',
    'LoadImageFeature',
    'LongTailedDataset',
    'MultiLabelFromInstances',
]
