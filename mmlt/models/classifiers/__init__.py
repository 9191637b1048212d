from .bbn import BBNClassifier
from .manifold_mixup import ManifoldMixupClassifier

__all__ = ['BBNClassifier', 'ManifoldMixupClassifier']
