from .bilateral import BilateralBackbone
from .cifar_resnet import CIFARResNet
from .efficientnet_lite0 import EfficientNetLite0
from .image_features import ImageFeatures
from .resnet10 import ResNet10

__all__ = [
    'BilateralBackbone',
    'CIFARResNet',
    'EfficientNetLite0',
    'ImageFeatures',
    'ResNet10',
]
