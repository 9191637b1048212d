"""Backbone with two last residual blocks, for BBN.

Shape letters: B batch, C channels, H and W height and width of a feature map.
"""

import torch
from mmengine.model import BaseModule
from mmpretrain.models.backbones import ResNet
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch import nn

from mmlt.registry import MODELS


class TwinBlock(BaseModule):
    """Two residual blocks that stand where a backbone has one.

    It stays at the place of the block it replaces, so that whatever visits
    the backbone's modules (initialisation, freezing, learning rates by name)
    finds both. As a layer of the backbone it passes its input on; the
    bilateral backbone then calls the branch that it needs. A checkpoint with
    one block at this place loads into both.

    Args:
        conventional (nn.Module): Block of the conventional branch.
        rebalancing (nn.Module): Block of the re-balancing branch.
    """

    def __init__(self, conventional: nn.Module, rebalancing: nn.Module):
        super().__init__()
        self.conventional = conventional
        self.rebalancing = rebalancing

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input, which is the input of both branches."""
        return x

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        for key in [k for k in state_dict if k.startswith(prefix)]:
            name = key.removeprefix(prefix)
            if not name.startswith(('conventional.', 'rebalancing.')):
                value = state_dict.pop(key)
                state_dict[f'{prefix}conventional.{name}'] = value
                state_dict[f'{prefix}rebalancing.{name}'] = value
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


@MODELS.register_module()
class BilateralBackbone(BaseModule):
    """Double the last residual block of a ResNet-like backbone.

    `BBN <https://arxiv.org/abs/1912.02413>`_, section 4.2: all blocks but the
    last are shared by the two branches, which learn from the uniform and the
    reversed sampler. In training each branch's images go through the shared
    part on their own, so that batch norm sees the statistics of one sampler
    at a time.

    Checkpoints of the plain backbone, or of a classifier with it, load into
    the shared part and **both** branches, by ``load_from`` as well as by
    ``init_cfg=dict(type='Pretrained', ...)`` here or in ``backbone``.

    Args:
        backbone (dict): Config of MMPretrain's ``ResNet`` or of what derives
            from it: ``ResNet_CIFAR``, ``ResNetV1c``, ``ResNeXt``,
            ``SEResNet``, ``Res2Net``, ``ResNeSt``, ``RegNet``, ... and
            ``mmlt.CIFARResNet``. ``out_indices`` must hold its last stage.
        init_cfg (dict | list[dict], optional): Initialisation on top of the
            backbone's own, which applies to both branches. Defaults to None.

    Raises:
        TypeError: If ``backbone`` is not the config of a ResNet.
        ValueError: If it does not return its last stage, or freezes it.

    Example:
        >>> model = BilateralBackbone(dict(type='ResNet', depth=18))
        >>> f_c, f_r = model(torch.rand(2, 3, 64, 64))
        >>> f_c.shape
        torch.Size([2, 512, 2, 2])
    """

    def __init__(
        self, backbone: dict, init_cfg: dict | list[dict] | None = None
    ):
        super().__init__(init_cfg=init_cfg)
        if not isinstance(backbone, dict):
            raise TypeError(
                'backbone must be the config (a dict) of a backbone, but got '
                f'{type(backbone).__name__}.'
            )
        self.trunk = MMPRETRAIN_MODELS.build(backbone)
        stage = _last_stage(self.trunk)
        # A second build rather than a copy: the branches start different.
        twin = _last_stage(MMPRETRAIN_MODELS.build(backbone))[-1]
        stage[-1] = TwinBlock(stage[-1], twin)

    @property
    def branches(self) -> TwinBlock:
        """TwinBlock: The last blocks of the two branches."""
        return getattr(self.trunk, self.trunk.res_layers[-1])[-1]

    def forward(
        self, inputs: torch.Tensor | tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        """Compute the features of both branches.

        Args:
            inputs (Tensor | tuple[Tensor, Tensor]): Images (B, 3, H, W), seen
                by both branches (inference), or a pair of such batches, the
                first for the conventional and the second for the
                re-balancing branch (training).

        Returns:
            tuple[Tensor]: The last two are f_c and f_r, each (B, C, H', W').
            Earlier stages, if ``out_indices`` asks for them, come before;
            for a pair of batches they hold the joined batch.
        """
        if isinstance(inputs, torch.Tensor):
            *stages, x = self.trunk(inputs)
            x_c = x_r = x
        else:
            images_c, images_r = inputs
            *stages_c, x_c = self.trunk(images_c)
            *stages_r, x_r = self.trunk(images_r)
            stages = [
                torch.cat(pair)
                for pair in zip(stages_c, stages_r, strict=True)
            ]
        branches = self.branches
        return (*stages, branches.conventional(x_c), branches.rebalancing(x_r))

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        for key in [k for k in state_dict if k.startswith(prefix)]:
            name = key.removeprefix(prefix)
            if not name.startswith('trunk.'):
                state_dict[f'{prefix}trunk.{name}'] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _last_stage(backbone: nn.Module) -> nn.Sequential:
    """Return the last stage of a backbone, after checking its layout."""
    name = type(backbone).__name__
    if not isinstance(backbone, ResNet):
        raise TypeError(
            f'backbone {name} has no last residual block to double: use a '
            "backbone derived from MMPretrain's ResNet, such as ResNet, "
            'ResNeXt, SEResNet or mmlt.CIFARResNet.'
        )
    last = len(backbone.res_layers) - 1
    if last not in backbone.out_indices:
        raise ValueError(
            f'out_indices of the backbone {name} must hold its last stage '
            f'{last}, whose last block is doubled, but got '
            f'{tuple(backbone.out_indices)}.'
        )
    if backbone.frozen_stages > last:
        raise ValueError(
            f'frozen_stages={backbone.frozen_stages} of the backbone {name} '
            'would freeze the two branches, which have to be trained: use at '
            f'most {last}.'
        )
    return getattr(backbone, backbone.res_layers[last])
