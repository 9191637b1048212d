"""ResNet for 32 x 32 images, as the long-tailed CIFAR papers use it.

Shape letters: B batch, H and W image height and width.
"""

from collections.abc import Sequence

import torch
from mmpretrain.models.backbones import ResNet_CIFAR
from mmpretrain.models.backbones.resnet import BasicBlock
from torch import nn

from mmlt.checks import (
    check_number,
    check_share,
    check_size,
    check_switch,
)
from mmlt.registry import MODELS


class ZeroPadShortcut(nn.Module):
    """Option-A shortcut: subsample in space, pad channels with zeros.

    `Deep Residual Learning <https://arxiv.org/abs/1512.03385>`_, section
    3.3, option (A). It has no parameters; the zeros go half before and half
    behind the input's channels.

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output, at least ``in_channels``.
        stride (int): Step of the subsampling in both directions.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        extra = out_channels - in_channels
        self.padding = (0, 0, 0, 0, extra // 2, extra - extra // 2)
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H/s, W/s)."""
        return nn.functional.pad(
            x[..., :: self.stride, :: self.stride], self.padding
        )


@MODELS.register_module()
class CIFARResNet(ResNet_CIFAR):
    """ResNet-20/32/44/56/110 with three stages of 16, 32 and 64 channels.

    `Deep Residual Learning <https://arxiv.org/abs/1512.03385>`_, section
    4.2: a 3 x 3 stem without pooling, ``(depth - 2) / 6`` basic blocks a
    stage, option-A shortcuts. ResNet-32 has 0.46 M parameters. It is not
    MMPretrain's ``ResNet_CIFAR``, which has four stages of 64 to 512
    channels.

    Args:
        depth (int): 20, 32, 44, 56 or 110.
        in_channels (int): Channels of the image, 1 for grey. Defaults to 3.
        base_channels (int): Channels of the stem and of the first stage;
            each further stage doubles them. Defaults to 16.
        out_indices (Sequence[int]): Stages to return, from {0, 1, 2}.
            Defaults to (2, ).
        frozen_stages (int): The stem (0) and the stages up to this one (1 to
            3) are not trained; -1 freezes nothing. Defaults to -1.
        norm_cfg (dict): Normalisation layer. Defaults to batch norm.
        norm_eval (bool): Keep batch norm's running statistics as they are.
            Defaults to False.
        with_cp (bool): Trade time for memory by checkpointing. Defaults to
            False.
        zero_init_residual (bool): Start each block as the identity. Defaults
            to False, as in the papers.
        drop_path_rate (float): Stochastic depth rate. Defaults to 0.
        init_cfg (dict | list[dict], optional): Defaults to He's
            initialisation (fan in) of the convolutions.

    Raises:
        TypeError: If a number is none, or a switch neither True nor False.
        ValueError: If ``depth``, ``out_indices`` or ``frozen_stages`` is not
            one of the values above, or a number out of range.

    Example:
        >>> model = CIFARResNet(depth=32)
        >>> model(torch.rand(1, 3, 32, 32))[0].shape
        torch.Size([1, 64, 8, 8])
    """

    num_stages = 3
    arch_settings = {  # noqa: RUF012
        depth: (BasicBlock, ((depth - 2) // 6,) * 3)
        for depth in (20, 32, 44, 56, 110)
    }

    def __init__(
        self,
        depth: int,
        in_channels: int = 3,
        base_channels: int = 16,
        out_indices: Sequence[int] = (2,),
        frozen_stages: int = -1,
        norm_cfg: dict | None = None,
        norm_eval: bool = False,
        with_cp: bool = False,
        zero_init_residual: bool = False,
        drop_path_rate: float = 0.0,
        init_cfg: dict | list[dict] | None = None,
    ):
        stages = self.num_stages
        if depth not in [*self.arch_settings]:
            raise ValueError(
                f'depth must be one of {tuple(self.arch_settings)}, '
                f'but got {depth}.'
            )
        if not out_indices or not set(out_indices) <= set(range(stages)):
            raise ValueError(
                f'out_indices must hold stages from {tuple(range(stages))}, '
                f'but got {out_indices}.'
            )
        check_number('frozen_stages', frozen_stages, least=-1)
        if frozen_stages not in range(-1, stages + 1):
            raise ValueError(
                f'frozen_stages must be between -1 and {stages}, '
                f'but got {frozen_stages}.'
            )
        super().__init__(
            depth=depth,
            in_channels=check_size('in_channels', in_channels),
            stem_channels=check_size('base_channels', base_channels),
            base_channels=base_channels,
            num_stages=stages,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=out_indices,
            frozen_stages=frozen_stages,
            norm_cfg=norm_cfg or dict(type='BN', requires_grad=True),
            norm_eval=check_switch('norm_eval', norm_eval),
            with_cp=check_switch('with_cp', with_cp),
            zero_init_residual=check_switch(
                'zero_init_residual', zero_init_residual
            ),
            drop_path_rate=check_share('drop_path_rate', drop_path_rate),
            init_cfg=init_cfg
            or [
                dict(type='Kaiming', layer='Conv2d', mode='fan_in'),
                dict(
                    type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']
                ),
            ],
        )

    def make_res_layer(self, **kwargs) -> nn.Sequential:
        """Make a stage and give its first block the option-A shortcut."""
        stage = super().make_res_layer(**kwargs)
        block = stage[0]
        if block.downsample is not None:
            block.downsample = ZeroPadShortcut(
                block.in_channels, block.out_channels, block.stride
            )
        return stage
