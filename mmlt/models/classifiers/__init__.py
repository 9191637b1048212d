from .bbn import BBNClassifier

__all__ = ['BBNClassifier']
