"""The spatial attention of OLTR. B batch, D channels, S side of a map."""

from __future__ import annotations

import torch
from mmcv.cnn import NonLocal2d
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmlt.checks import check_size
from mmlt.registry import MODELS


@MODELS.register_module()
class ModulatedAttention(BaseModule):
    r"""Self-attention, modulated by a softmax over the places of the map.

    `Large-Scale Long-Tailed Recognition in an Open World
    <https://arxiv.org/abs/1904.05160>`_, section 3.2,

    .. math::
        f' = f + \mathrm{MA}(f) \odot \mathrm{SA}(f)

    SA is a non-local block without its residual, MA the softmax of a linear
    layer of the whole map, one weight a place. The last layer of the block
    starts at zero, so that training starts with f' = f. It stands in front of
    the pooling, ``neck=[dict(type='mmlt.ModulatedAttention', ...),
    dict(type='GlobalAveragePooling')]``.

    Args:
        in_channels (int): Channels D of the last stage of the backbone.
        size (int): Side S of its maps: 7 for images of 224 pixels.
        reduction (int): D over the channels within the block.
        init_cfg (dict | list[dict] | None): Initialisation, MMCV's of the
            block by default.

    Raises:
        TypeError: If a number is none.
        ValueError: If a number is not positive, or ``reduction`` above
            ``in_channels``.
    """

    def __init__(
        self,
        in_channels: int,
        size: int = 7,
        reduction: int = 2,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = check_size('in_channels', in_channels)
        self.size = check_size('size', size)
        if check_size('reduction', reduction) > in_channels:
            raise ValueError(
                f'reduction={reduction} leaves none of in_channels='
                f'{in_channels}; give a smaller one'
            )
        self.attention = NonLocal2d(
            in_channels, reduction=reduction, use_scale=False
        )
        self.places = nn.Linear(in_channels * size**2, size**2)

    def forward(self, feats: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:
        """Attend to the map of the last stage.

        Args:
            feats (Tensor | tuple[Tensor]): (B, D, S, S), or one for each
                stage, of which the last counts.

        Returns:
            tuple[Tensor]: Of the same shape, as one stage.

        Raises:
            ValueError: If the map has another shape.
        """
        x = feats[-1] if isinstance(feats, tuple) else feats
        shape = (self.in_channels, self.size, self.size)
        if x.shape[1:] != shape:
            raise ValueError(
                f'feats has the shape {tuple(x.shape)}, but in_channels='
                f'{self.in_channels} and size={self.size} want (B, '
                f'{", ".join(map(str, shape))}): set them to those of the '
                'last maps of the backbone, in front of the pooling'
            )
        weight = self.places(x.flatten(1)).softmax(1)
        weight = weight.view(-1, 1, self.size, self.size)
        attended = self.attention(x)
        # x + weight * SA(x), since the block returns x + SA(x)
        return (torch.lerp(x.to(attended), attended, weight.to(attended)),)
