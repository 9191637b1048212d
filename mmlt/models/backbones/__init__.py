from .bilateral import BilateralBackbone
from .cifar_resnet import CIFARResNet
from .efficientnet_lite0 import EfficientNetLite0

__all__ = ['BilateralBackbone', 'CIFARResNet', 'EfficientNetLite0']
