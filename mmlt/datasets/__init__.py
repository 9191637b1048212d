from .long_tailed import LongTailedDataset

__all__ = ['LongTailedDataset']
