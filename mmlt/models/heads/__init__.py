from .bags_head import BAGSHead
from .bbn_head import BBNHead
from .cosine_head import CosineClsHead

__all__ = ['BAGSHead', 'BBNHead', 'CosineClsHead']
