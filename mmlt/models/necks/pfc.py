"""The neck of the Distribution-Balanced loss. B batch, D channels."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmlt.checks import check_share, check_size, check_switch
from mmlt.registry import MODELS


@MODELS.register_module()
class PFC(BaseModule):
    """Linear layer, batch norm, ReLU and dropout behind average pooling.

    The neck of the multi-label experiments of `Distribution-Balanced Loss
    <https://arxiv.org/abs/2007.09654>`_. The published config has no ReLU, and
    initialises the linear layer as Kaiming does: ``relu=False,
    init_cfg=dict(type='Kaiming', layer='Linear')``.

    Args:
        in_channels (int): Channels of the last stage of the backbone.
        out_channels (int): Channels for the head.
        dropout (float): Probability of a channel to be dropped, in [0, 1].
        relu (bool): Whether there is a ReLU.
        init_cfg (dict | list[dict] | None): Initialisation, PyTorch's own by
            default.

    Raises:
        TypeError: If a number is none, or ``relu`` no switch.
        ValueError: If ``dropout`` is out of range or a number of channels
            not positive.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        dropout: float = 0.5,
        relu: bool = True,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = check_size('in_channels', in_channels)
        self.out_channels = check_size('out_channels', out_channels)
        check_share('dropout', dropout)
        self.fc = nn.Linear(in_channels, out_channels)
        self.norm = nn.BatchNorm1d(out_channels)
        check_switch('relu', relu)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, feats: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:
        """Pool the last stage and project it.

        Args:
            feats (Tensor | tuple[Tensor]): (B, D) features, (B, D, H, W)
                maps, or one of these for each stage, of which the last
                counts.

        Returns:
            tuple[Tensor]: (B, out_channels), as one stage.

        Raises:
            ValueError: If D is not ``in_channels``.
        """
        feature = feats[-1] if isinstance(feats, tuple) else feats
        if feature.dim() < 2 or feature.size(1) != self.in_channels:
            raise ValueError(
                f'feats has the shape {tuple(feature.shape)}, but in_channels '
                f'is {self.in_channels}; set it to the channels of the last '
                'stage of the backbone'
            )
        if feature.dim() > 2:
            feature = feature.flatten(2).mean(dim=2)
        feature = self.relu(self.norm(self.fc(feature)))
        return (self.dropout(feature),)
