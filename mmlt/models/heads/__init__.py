from .bbn_head import BBNHead

__all__ = ['BBNHead']
