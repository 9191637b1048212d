from mmlt.compat import has_mmdet

from .hold_out import HoldOutDataset
from .inaturalist import INaturalist
from .ldam_long_tailed import LDAMLongTailedDataset
from .long_tailed import LongTailedDataset
from .multi_label_from_instances import MultiLabelFromInstances
from .multi_label_lt import COCOMLT, VOCMLT
from .tail_instances import TailInstances

__all__ = [
    'COCOMLT',
    'VOCMLT',
    'HoldOutDataset',
    'INaturalist',
    'LDAMLongTailedDataset',
    'LongTailedDataset',
    'MultiLabelFromInstances',
    'TailInstances',
]

if has_mmdet():
    from .fashion_scenes import FashionScenes

    __all__ += ['FashionScenes']
