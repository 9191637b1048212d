import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn


class Detector(nn.Module):
    """The stock RoI head of a config of MMDetection, made small."""

    def __init__(self, name, **change):
        super().__init__()
        base = f"_base_ = ['mmdet::_base_/models/{name}.py']"
        cfg = Config.fromstring(base, '.py').model.roi_head
        heads = cfg.bbox_head
        for head in heads if isinstance(heads, list) else [heads]:
            head.update(in_channels=4, roi_feat_size=2, fc_out_channels=8)
            if 'loss_cls' in change:
                del head['loss_cls']
            head.update(num_classes=3, **change)
        with DefaultScope.overwrite_default_scope('mmdet'):
            self.roi_head = MODELS.build(cfg)


@pytest.fixture
def detector():
    """Builds one: ``detector('faster-rcnn_r50_fpn')``."""
    return Detector
