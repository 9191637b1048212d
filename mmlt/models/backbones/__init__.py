from .bilateral import BilateralBackbone
from .cifar_resnet import CIFARResNet

__all__ = ['BilateralBackbone', 'CIFARResNet']
