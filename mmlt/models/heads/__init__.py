from .bags_head import BAGSHead
from .bbn_head import BBNHead
from .cosine_head import CosineClsHead
from .gcn_head import GCNHead, label_graph
from .lws_head import LWSHead
from .ncm_head import NCMHead
from .oltr_head import MultiLabelOLTRHead, OLTRHead

__all__ = [
    'BAGSHead',
    'BBNHead',
    'CosineClsHead',
    'GCNHead',
    'LWSHead',
    'MultiLabelOLTRHead',
    'NCMHead',
    'OLTRHead',
    'label_graph',
]
