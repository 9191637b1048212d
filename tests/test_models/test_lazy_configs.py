"""Pure Python configs of MMEngine, in which types are classes.

One of each kind trains for an epoch and validates: every part of ours that
takes configs of others (heads, backbones, data sets, samplers) is in one.
"""

import json

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.runner import Runner
from PIL import Image

from mmlt.models.losses import BoxLoss
from mmlt.models.losses.base import ElementLoss

C, SIZE = 3, 32
COUNTS = [8, 4, 2]
RUNTIME = """
from mmengine.dataset import DefaultSampler
from torch.optim import SGD

from mmlt.engine.hooks import ClassStatsHook

custom_hooks = [dict(type=ClassStatsHook)]
optim_wrapper = dict(optimizer=dict(type=SGD, lr=0.01))
train_cfg = dict(by_epoch=True, max_epochs=1)
val_cfg = dict()
sampler = dict(type=DefaultSampler, shuffle=False)
default_scope = None
work_dir = 'work_dir'
"""
CLASSIFIER = """
from mmcv.transforms import LoadImageFromFile
from mmengine.config import read_base
from mmpretrain.datasets import CustomDataset, PackInputs
from mmpretrain.models import (
    ClsDataPreprocessor,
    GlobalAveragePooling,
    ImageClassifier,
    LinearClsHead,
)

from mmlt.datasets import LongTailedDataset
from mmlt.evaluation.metrics import ShotAccuracy
from mmlt.models import CIFARResNet, LogitAdjustedLoss

with read_base():
    from .runtime import *

pipeline = [dict(type=LoadImageFromFile), dict(type=PackInputs)]
images = dict(type=CustomDataset, data_root='images', pipeline=pipeline)
model = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARResNet, depth=20, base_channels=4),
    neck=dict(type=GlobalAveragePooling),
    head=dict(
        type=LinearClsHead,
        num_classes=3,
        in_channels=16,
        loss=dict(type=LogitAdjustedLoss),
    ),
    data_preprocessor=dict(type=ClsDataPreprocessor),
)
train_dataloader = dict(
    dataset=dict(type=LongTailedDataset, counts=[8, 4, 2], dataset=images),
    sampler=sampler,
    batch_size=4,
)
val_dataloader = dict(dataset=images, sampler=sampler, batch_size=4)
val_evaluator = dict(type=ShotAccuracy, thresholds=(3, 6))
"""
BAGS = """
from mmengine.config import read_base

from mmlt.datasets.samplers import ClassAwareSampler
from mmlt.models import BAGSHead, BAGSLoss

with read_base():
    from .classification import *

model['head'] = dict(
    type=BAGSHead,
    num_classes=3,
    in_channels=16,
    loss=dict(type=BAGSLoss, thresholds=(3, 6)),
)
train_dataloader['sampler'] = dict(type=ClassAwareSampler)
"""
BBN = """
from mmengine.config import read_base

from mmlt.datasets.samplers import BilateralBatchSampler, ReversedSampler
from mmlt.engine.hooks import AlphaScheduleHook
from mmlt.models import BBNClassifier, BBNHead, BilateralBackbone

with read_base():
    from .classification import *

model.update(type=BBNClassifier, head=dict(type=BBNHead))
model['backbone'] = dict(
    type=BilateralBackbone,
    backbone=dict(type=CIFARResNet, depth=20, base_channels=4),
)
train_dataloader.update(
    batch_sampler=dict(
        type=BilateralBatchSampler, rebalancing=dict(type=ReversedSampler)
    )
)
custom_hooks.append(dict(type=AlphaScheduleHook))
"""
MULTI_LABEL = """
from mmcv.transforms import LoadImageFromFile
from mmengine.config import read_base
from mmpretrain.datasets import MultiLabelDataset, PackInputs
from mmpretrain.models import (
    ClsDataPreprocessor,
    ImageClassifier,
    MultiLabelLinearClsHead,
)

from mmlt.evaluation.metrics import ShotMultiLabelMAP
from mmlt.models import PFC, CIFARResNet, DistributionBalancedLoss

with read_base():
    from .runtime import *

images = dict(
    type=MultiLabelDataset,
    data_root='.',
    data_prefix='images',
    ann_file='labels.json',
    pipeline=[dict(type=LoadImageFromFile), dict(type=PackInputs)],
)
model = dict(
    type=ImageClassifier,
    backbone=dict(type=CIFARResNet, depth=20, base_channels=4),
    neck=dict(type=PFC, in_channels=16, out_channels=8),
    head=dict(
        type=MultiLabelLinearClsHead,
        num_classes=3,
        in_channels=8,
        loss=dict(type=DistributionBalancedLoss, loss_weight=1 / 3),
    ),
    data_preprocessor=dict(
        type=ClsDataPreprocessor, num_classes=3, to_onehot=True
    ),
)
train_dataloader = dict(dataset=images, sampler=sampler, batch_size=4)
val_dataloader = dict(dataset=images, sampler=sampler, batch_size=4)
val_evaluator = dict(type=ShotMultiLabelMAP, thresholds=(5, 10))
"""
DETECTION = """
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import CocoDataset
from mmdet.datasets.transforms import LoadAnnotations, PackDetInputs, Resize
from mmengine.config import read_base

from mmlt.datasets.samplers import RepeatFactorSampler
from mmlt.engine.hooks import TrainablePartsHook
from mmlt.evaluation.metrics import LVISMetric
from mmlt.models import BAGSBBoxHead, BAGSLoss

with read_base():
    from .faster_rcnn import *
    from .runtime import *

default_scope = 'mmdet'
model.backbone.update(depth=18, base_channels=4, init_cfg=None)
model.neck.update(in_channels=[4, 8, 16, 32], out_channels=8)
model.rpn_head.update(in_channels=8, feat_channels=8)
model.roi_head.bbox_roi_extractor.update(out_channels=8)
model.roi_head.bbox_head.update(
    type=BAGSBBoxHead,
    in_channels=8,
    fc_out_channels=8,
    num_classes=3,
    cosine_scale=20.0,
)
model.roi_head.bbox_head['loss_cls'] = dict(type=BAGSLoss, thresholds=(3, 6))
boxes = dict(
    type=CocoDataset,
    data_prefix=dict(img='images'),
    ann_file='boxes.json',
    metainfo=dict(classes=('ant', 'bee', 'cat')),
    pipeline=[
        dict(type=LoadImageFromFile),
        dict(type=Resize, scale=(64, 64)),
        dict(type=LoadAnnotations, with_bbox=True),
        dict(
            type=PackDetInputs,
            meta_keys=('img_id', 'img_shape', 'ori_shape', 'scale_factor'),
        ),
    ],
)
train_dataloader = dict(
    dataset=boxes, sampler=dict(type=RepeatFactorSampler), batch_size=4
)
val_dataloader = dict(
    dataset=dict(boxes, test_mode=True), sampler=sampler, batch_size=4
)
val_evaluator = dict(type=LVISMetric, ann_file='boxes.json')
custom_hooks.append(
    dict(type=TrainablePartsHook, trainable=['*'])
)
"""
CONFIGS = {
    'runtime': RUNTIME,
    'classification': CLASSIFIER,
    'bags': BAGS,
    'bbn': BBN,
    'multi_label': MULTI_LABEL,
    'detection': DETECTION,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Configs, and images of three classes with labels and boxes."""
    # MMDetection's own, in which types are names.
    base = get_config('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
    Config(dict(model=base.model)).dump(tmp_path / 'faster_rcnn.py')
    for name, text in CONFIGS.items():
        (tmp_path / f'{name}.py').write_text(text)
    infos, images, boxes = [], [], []
    for label, count in enumerate(COUNTS):
        for index in range(count):
            name = f'{"abc"[label]}/{index}.png'
            path = tmp_path / 'images' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((SIZE, SIZE, 3), 60 * label + index, np.uint8)
            Image.fromarray(pixels).save(path)
            infos.append(dict(img_path=name, gt_label=sorted({0, label})))
            images.append(
                dict(
                    id=len(images),
                    file_name=name,
                    width=SIZE,
                    height=SIZE,
                    neg_category_ids=[(label + 1) % C],
                    not_exhaustive_category_ids=[],
                )
            )
            boxes.append(
                dict(
                    id=len(boxes) + 1,
                    image_id=len(images) - 1,
                    category_id=label,
                    bbox=[2, 2, 20, 24],
                    area=480,
                    iscrowd=0,
                )
            )
    classes = ('ant', 'bee', 'cat')
    content = dict(metainfo=dict(classes=classes), data_list=infos)
    (tmp_path / 'labels.json').write_text(json.dumps(content))
    content = dict(
        images=images,
        annotations=boxes,
        categories=[
            dict(id=k, name=name, frequency='rcf'[k], image_count=COUNTS[k])
            for k, name in enumerate(classes)
        ],
    )
    (tmp_path / 'boxes.json').write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)
    return tmp_path


@pytest.mark.parametrize('name', [*CONFIGS][1:])
def test_trains_and_validates(folder, name):
    cfg = Config.fromfile(folder / f'{name}.py')
    cfg.experiment_name = f'lazy_{name}'
    runner = Runner.from_cfg(cfg)
    runner.train()
    (loss,) = (
        module
        for module in runner.model.modules()
        if isinstance(module, ElementLoss)
    )
    assert loss.class_stats.image_count.tolist()[1:] == COUNTS[1:]
    assert runner.epoch == 1
    logged = runner.message_hub.log_scalars
    assert any(key.startswith('val/') for key in logged)
    if isinstance(loss, BoxLoss):
        assert loss.num_classes == C
