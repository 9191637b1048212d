from .bags_head import BAGSHead
from .bbn_head import BBNHead

__all__ = ['BAGSHead', 'BBNHead']
