from .bags_head import BAGSHead
from .bbn_head import BBNHead
from .cosine_head import CosineClsHead
from .lws_head import LWSHead
from .ncm_head import NCMHead

__all__ = ['BAGSHead', 'BBNHead', 'CosineClsHead', 'LWSHead', 'NCMHead']
