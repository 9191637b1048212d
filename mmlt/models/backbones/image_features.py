"""The place of a backbone whose features were computed before.

B batch, R RoIs of an image, D channels.
"""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor

from mmlt.checks import check_size
from mmlt.registry import MODELS


@MODELS.register_module()
class ImageFeatures(BaseModule):
    """Hand features on that were read from a file.

    ``mmlt.LoadImageFeature`` reads those of images, ``mmlt.LoadRoIFeatures``
    those of RoIs. There are no parameters: of a first stage's checkpoint only
    neck and head are loaded.

    Args:
        in_channels (int): Width D of the features.

    Raises:
        TypeError: If ``in_channels`` is no whole number.
        ValueError: If it is not positive.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = check_size('in_channels', in_channels)

    def forward(self, features: Tensor) -> tuple[Tensor]:
        """Features, (B, D) or (B, 1, R, D), as one stage.

        Raises:
            ValueError: If they have another shape.
        """
        if features.dim() not in (2, 4) or (
            features.size(-1) != self.in_channels
        ):
            raise ValueError(
                f'inputs of the shape {tuple(features.shape)}, but '
                f'in_channels of ImageFeatures is {self.in_channels}: set it, '
                'and that of the head, to the width of the features in the '
                'file, or compute them with the network that is meant'
            )
        return (features,)
