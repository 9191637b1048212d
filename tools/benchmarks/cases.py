"""How each registered model and metric is fed in ``accelerator.py``.

A new one has its entry here, in MODEL_CASES or METRIC_CASES.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import ConfigDict
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmlt.class_stats import ClassStats

# Images or RoIs, classes, channels.
B, C, D = 32, 8, 16
Values = dict[str, Tensor]


def long_tailed(num_classes: int) -> ClassStats:
    """Exponential counts from 5000 down to 2, as images and instances."""
    count = torch.logspace(3.7, 0.3, num_classes).round().long().tolist()
    return ClassStats(count, count, 2 * sum(count))


STATS = long_tailed(C)


class Kind(NamedTuple):
    """How modules of a kind are fed and called.

    Args:
        batch (Callable): Of the module: what gets a gradient, and the rest.
        loss (Callable): Of the module and the batch: losses, and what is
            logged with them.
        predict (Callable | None): The same in testing.
        config (dict): What all modules of the kind need.
        tolerance (float): The largest difference that is all right. That of
            deep networks is what it takes to change the sign of an activation
            that is almost 0.
    """

    batch: Callable[[nn.Module], tuple[Tensor, Any]]
    loss: Callable[[nn.Module, Tensor, Any], Values]
    predict: Callable[[nn.Module, Tensor, Any], Values] | None = None
    config: dict = {}  # noqa: RUF012
    tolerance: float = 1e-4


class Case(NamedTuple):
    """A registered module: its kind, and one config or several."""

    kind: Kind
    configs: tuple[dict, ...] = ({},)


def named(values: Any) -> Values:
    """Tensors with a name each."""
    if isinstance(values, dict):
        return values
    values = [values] if isinstance(values, Tensor) else values
    return {str(index): value for index, value in enumerate(values)}


def logits(columns: int = C) -> Tensor:
    """(B, columns)."""
    return 4 * torch.randn(B, columns)


def labels(number: int = B) -> list[DataSample]:
    """Samples with a class each."""
    return [DataSample().set_gt_label(k % C) for k in range(number)]


def softmax_batch(loss: nn.Module) -> tuple[Tensor, list]:
    """Logits; labels, and distributions."""
    return logits(), [torch.randint(C, (B,)), torch.rand(B, C).softmax(1)]


def multi_label_batch(loss: nn.Module) -> tuple[Tensor, list]:
    """Logits; labels of which some are not known, and indices."""
    known = torch.randint(-1, 2, (B, C))
    return logits(), [known, torch.randint(-1, C + 1, (B,))]


def loss_of_targets(loss: nn.Module, scores: Tensor, targets: list) -> Values:
    """The losses with each of the targets."""
    return named([loss(scores, target) for target in targets])


def boxes() -> list[Tensor]:
    """Labels of which half are background, and weights."""
    return [torch.arange(B).clamp(max=2 * C) % (C + 1), torch.rand(B)]


def box_batch(loss: nn.Module) -> tuple[Tensor, list]:
    """Logits; labels and weights."""
    return logits(loss.get_cls_channels(C)), boxes()


def box_loss(loss: nn.Module, scores: Tensor, rest: list) -> Values:
    """Losses and accuracies, as box heads ask for them."""
    losses = named(loss(scores, *rest, avg_factor=B))
    return {**losses, **loss.get_accuracy(scores, rest[0])}


def box_scores(loss: nn.Module, scores: Tensor, rest: list) -> Values:
    return named(loss.get_activation(scores))


def softmax_box_loss(head: nn.Module, maps: Tensor, rest: list) -> Values:
    """Losses of a box head with MMDetection's cross entropy."""
    return named(head.loss_cls(head(maps)[0], *rest, avg_factor=B))


def softmax_box_scores(head: nn.Module, maps: Tensor, rest: list) -> Values:
    return named(head(maps)[0].softmax(1))


def head_scores(head: nn.Module, feature: Tensor, samples: list) -> Values:
    predicted = head.predict((feature,), samples)
    return named([sample.pred_score for sample in predicted])


def label_graph_batch(head: nn.Module) -> tuple[Tensor, list]:
    """Features and samples, once the head has a graph of the labels."""
    head.set_co_occurrence(5 * torch.eye(C).numpy() + 5)
    return torch.randn(B, D), labels()


def class_means_batch(head: nn.Module) -> tuple[Tensor, list]:
    """Features and samples, once the head has means of such features."""
    head.set_means([(torch.randn(B, D), torch.arange(B) % C)])
    return torch.randn(B, D), labels()


def centroids_batch(head: nn.Module) -> tuple[Tensor, list]:
    """The same of a head with a memory."""
    head.set_centroids([(torch.randn(B, D), labels())])
    return torch.randn(B, D), labels()


def feature_loss(module: nn.Module, inputs: Tensor, rest: None) -> Values:
    """Features, and a loss of them that batch norm leaves a gradient."""
    features = named(module(inputs))
    loss = 0.0
    for each in features.values():
        weight = torch.linspace(
            -1, 1, each.numel(), device=each.device, dtype=each.dtype
        )
        loss = loss + (weight.view_as(each) * each).mean()
    detached = {name: each.detach() for name, each in features.items()}
    return {'loss': loss, **detached}


def box_means_batch(head: nn.Module) -> tuple[Tensor, list]:
    """Maps of RoIs, and boxes, once the head has means."""
    x = torch.randn(B, D, 2, 2)
    features = head.describe(x, head.shared(x).detach())
    head.set_means([(features, torch.arange(B) % C)])
    return x, boxes()


def roi_batch(head: nn.Module) -> tuple[Tensor, list]:
    """Features of RoIs, of which the first are true boxes; the boxes."""
    corner = torch.rand(B, 6, 2) * 20
    boxes = torch.cat([corner, corner + 4 + 20 * torch.rand(B, 6, 2)], -1)
    rest = [boxes[:, :2], torch.arange(2 * B).view(B, 2) % C, boxes[:, 2:]]
    return torch.randn(B, 1, 6, D), rest


def rois_of(values: Tensor) -> list:
    """Instances of each image, of (B, R, 4) boxes."""
    from mmengine.structures import InstanceData

    return [InstanceData(bboxes=boxes) for boxes in values]


def roi_loss(head: nn.Module, features: Tensor, rest: list) -> Values:
    from mmdet.structures import DetDataSample

    samples = []
    for boxes, classes in zip(rois_of(rest[0]), rest[1], strict=True):
        boxes.labels = classes
        samples.append(DetDataSample(gt_instances=boxes))
    return head.loss((features,), rois_of(rest[2]), samples)


def roi_scores(head: nn.Module, features: Tensor, rest: list) -> Values:
    return named([*head.forward((features,), rois_of(rest[2]))])


SOFTMAX = Kind(softmax_batch, loss_of_targets)
MULTI_LABEL = Kind(multi_label_batch, loss_of_targets)
BOX = Kind(box_batch, box_loss, box_scores, dict(num_classes=C))
HEAD = Kind(
    lambda head: (torch.randn(B, D), labels()),
    lambda head, feature, samples: head.loss((feature,), samples),
    head_scores,
    dict(num_classes=C, in_channels=D),
)
BBN_HEAD = Kind(
    lambda head: (torch.randn(2, B, D), labels(2 * B)),
    lambda head, pair, samples: head.loss(tuple(pair), samples, 0.3),
    lambda head, pair, samples: named(head(tuple(pair))),
    dict(num_classes=C, in_channels=D),
)
GCN_HEAD = HEAD._replace(batch=label_graph_batch)
NCM_HEAD = HEAD._replace(batch=class_means_batch)
MEMORY_HEAD = HEAD._replace(batch=centroids_batch)
BOX_HEAD = Kind(
    lambda head: (torch.randn(B, D, 2, 2), boxes()),
    lambda head, maps, rest: box_loss(head.loss_cls, head(maps)[0], rest),
    lambda head, maps, rest: box_scores(head.loss_cls, head(maps)[0], rest),
    dict(num_classes=C, in_channels=D, fc_out_channels=D, roi_feat_size=2),
)
SOFTMAX_BOX_HEAD = BOX_HEAD._replace(
    loss=softmax_box_loss, predict=softmax_box_scores
)
NCM_BOX_HEAD = SOFTMAX_BOX_HEAD._replace(batch=box_means_batch)
ROI_HEAD = Kind(
    roi_batch,
    roi_loss,
    roi_scores,
    dict(
        bbox_head=dict(
            type='Shared2FCBBoxHead',
            num_classes=C,
            in_channels=D,
            fc_out_channels=D,
            roi_feat_size=1,
        ),
        # All are drawn: a draw of some differs from device to device.
        train_cfg=ConfigDict(
            assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5,
                          neg_iou_thr=0.5, min_pos_iou=0.5),
            sampler=dict(type='RandomSampler', num=32, pos_fraction=1.0),
            pos_weight=-1,
        ),
    ),
)  # fmt: skip
BACKBONE = Kind(
    lambda module: (torch.randn(8, 3, 8, 8), None),
    feature_loss,
    tolerance=1e-2,
)
FEATURES = Kind(lambda module: (torch.randn(B, D), None), feature_loss)
NECK = Kind(lambda module: (torch.randn(B, D, 3, 3), None), feature_loss)
CLASSIFIER = Kind(
    lambda model: (torch.randn(8, 3, 8, 8), labels(8)),
    lambda model, images, samples: model(images, samples, mode='loss'),
    lambda model, images, samples: named(model(images)),
    tolerance=1e-2,
)

SMALL = dict(type='mmlt.CIFARResNet', depth=20)
BILATERAL = dict(type='mmlt.BilateralBackbone', backbone=SMALL)
MIXED = dict(
    backbone=SMALL,
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=C, in_channels=64),
)
# All others are drawn: a draw of some differs from device to device.
ALL_OTHERS = dict(others_ratio=1e6)
MARGINS = torch.linspace(-1, 1, C * C).view(C, C).tolist()
MODEL_CASES = {
    'BAGSBBoxHead': Case(
        BOX_HEAD, (dict(loss_cls=dict(type='mmlt.BAGSLoss', **ALL_OTHERS)),)
    ),
    'BAGSHead': Case(
        HEAD, (dict(loss=dict(type='mmlt.BAGSLoss', **ALL_OTHERS)),)
    ),
    'BAGSLoss': Case(
        BOX,
        (
            ALL_OTHERS,
            dict(others_ratio=None, background_group=False),
            dict(others=False),
        ),
    ),
    'BBNClassifier': Case(
        CLASSIFIER,
        (
            dict(
                backbone=BILATERAL,
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='mmlt.BBNHead', num_classes=C, in_channels=64),
            ),
        ),
    ),
    'BBNHead': Case(BBN_HEAD),
    'BilateralBackbone': Case(BACKBONE, (dict(backbone=SMALL),)),
    'BoxFocalLoss': Case(BOX),
    'BoxLogitAdjustedLoss': Case(BOX),
    'CIFARResNet': Case(BACKBONE, (dict(depth=20),)),
    'ClassBalancedFocalLoss': Case(
        MULTI_LABEL,
        (
            dict(mode='by_class'),
            dict(mode='average_n'),
            dict(mode='average_w'),
            dict(mode='min_n'),
        ),
    ),
    'ClassWeightedCELoss': Case(SOFTMAX, ({}, dict(average='weights'))),
    'CosineClsHead': Case(
        HEAD,
        (dict(loss=dict(type='mmlt.LDAMLoss')), dict(learn_scale=True)),
    ),
    'DistributionBalancedLoss': Case(
        MULTI_LABEL, ({}, dict(ntr=None, focal=None))
    ),
    'ECMLoss': Case(BOX),
    'EFLLoss': Case(BOX, ({}, dict(use_sigmoid=True))),
    'EQLLoss': Case(BOX),
    'EQLv2Loss': Case(BOX, ({}, dict(use_sigmoid=True))),
    'EfficientNetLite0': Case(BACKBONE),
    'FederatedLoss': Case(BOX),
    'GCNHead': Case(GCN_HEAD, (dict(hidden_channels=D),)),
    'ImageFeatures': Case(FEATURES, (dict(in_channels=D),)),
    'LDAMLoss': Case(SOFTMAX),
    'LWSHead': Case(HEAD),
    'LogitAdjustedLoss': Case(SOFTMAX),
    'ManifoldMixupClassifier': Case(
        CLASSIFIER,
        (
            dict(MIXED, places=['input']),
            dict(MIXED, places=[1], remix=dict()),
            dict(MIXED, places=[2], two_samplers=True),
        ),
    ),
    'ModulatedAttention': Case(NECK, (dict(in_channels=D, size=3),)),
    'MultiLabelLDAMLoss': Case(
        MULTI_LABEL, ({}, dict(class_weight='effective_number'))
    ),
    'MultiLabelLogitAdjustedLoss': Case(MULTI_LABEL),
    'MultiLabelOLTRHead': Case(MEMORY_HEAD),
    'NCMBBoxHead': Case(
        NCM_BOX_HEAD, (dict(feature='fc'), dict(feature='conv'))
    ),
    'NCMHead': Case(
        NCM_HEAD,
        (
            dict(normalize='plain'),
            dict(normalize='l2'),
            dict(normalize='cl2n'),
        ),
    ),
    'OLTRHead': Case(MEMORY_HEAD),
    'PFC': Case(NECK, (dict(in_channels=D, dropout=0.0),)),
    'PairwiseMarginLoss': Case(
        SOFTMAX,
        (
            dict(preset='logit_adjusted'),
            dict(preset='adaptive'),
            dict(preset=None, delta=MARGINS),
        ),
    ),
    'ResNet10': Case(
        # Images that its strides leave more than one pixel of.
        BACKBONE._replace(
            batch=lambda module: (torch.randn(8, 3, 64, 64), None)
        ),
        (dict(base_channels=8, stem_channels=8),),
    ),
    'ReweightedBCELoss': Case(MULTI_LABEL),
    'RoIFeatureHead': Case(ROI_HEAD),
    'ScaledLinear': Case(FEATURES, (dict(in_features=D, out_features=C),)),
    'SeesawLoss': Case(BOX),
    'SigmoidSeesawLoss': Case(BOX),
    'SoftmaxFocalLoss': Case(
        SOFTMAX, ({}, dict(class_weight='effective_number'))
    ),
    'TauNormBBoxHead': Case(SOFTMAX_BOX_HEAD),
    'VSLoss': Case(SOFTMAX),
}
"""For each registered model, what is checked."""


def class_samples() -> list[dict]:
    """Scores of a classifier, and labels."""
    scores = logits().softmax(1)
    return [
        dict(pred_score=score, gt_label=torch.tensor([k % C]), sample_idx=k)
        for k, score in enumerate(scores)
    ]


def open_set_samples() -> list[dict]:
    """The same; the class of every other image is unknown."""
    samples = class_samples()
    for sample in samples[::2]:
        sample['gt_label'] = torch.tensor([-1])
    return samples


def multi_label_samples() -> list[dict]:
    """The same for multi-label data."""
    known = torch.randint(-1, 2, (B, C))
    return [
        dict(pred_score=score, gt_score=each)
        for score, each in zip(logits().sigmoid(), known, strict=True)
    ]


def box_samples() -> list[dict]:
    """One detection in each of B images, more or less right."""
    shift = 20 * torch.rand(B, 1)
    return [
        dict(
            img_id=k,
            ori_shape=(100, 100),
            pred_instances=dict(
                bboxes=torch.tensor([[10.0, 10, 60, 60]]) + shift[k],
                labels=torch.tensor([k % C]),
                scores=torch.rand(1),
            ),
        )
        for k in range(B)
    ]


def lvis_annotations(folder: Path) -> dict:
    """A box in each image; the config of LVISMetric."""
    path = folder / 'annotations.json'
    image = dict(height=100, width=100, not_exhaustive_category_ids=[])
    box = dict(bbox=[10, 10, 50, 50], area=2500, segmentation=[])
    content = dict(
        images=[
            dict(id=k, neg_category_ids=[(k + 1) % C + 1], **image)
            for k in range(B)
        ],
        annotations=[
            dict(id=k + 1, image_id=k, category_id=k % C + 1, **box)
            for k in range(B)
        ],
        categories=[
            dict(id=k + 1, name=str(k), frequency='rcf'[k % 3])
            for k in range(C)
        ],
    )
    path.write_text(json.dumps(content))
    return dict(ann_file=str(path))


def dump_file(folder: Path) -> dict:
    """The config of DumpLogits."""
    return dict(out_file=str(folder / 'logits.pth'), split='test')


def proposal_samples() -> list[dict]:
    """Images with what a detector says of proposals, before NMS."""
    found = dict(scores=logits(C + 1).softmax(1), bboxes=torch.rand(B, 4))
    return [dict(img_id=1, ori_shape=(32, 32), pred_instances=found)]


def proposal_file(folder: Path) -> dict:
    """The config of DumpBoxes."""
    nms = dict(type='nms', iou_threshold=0.5)
    test_cfg = dict(score_thr=0.05, nms=nms, max_per_img=100)
    out_file = str(folder / 'boxes.pth')
    return dict(out_file=out_file, split='test', test_cfg=test_cfg)


METRIC_CASES = {
    'DumpBoxes': (proposal_file, proposal_samples),
    'DumpLogits': (dump_file, class_samples),
    'LVISMetric': (lvis_annotations, box_samples),
    'OpenSetFMeasure': (lambda folder: {}, open_set_samples),
    'ShotAccuracy': (
        # Its counts must be those of images with one label each.
        lambda folder: dict(
            topk=(1, 5), class_stats=STATS.image_count.tolist()
        ),
        class_samples,
    ),
    'ShotCocoMetric': (lvis_annotations, box_samples),
    'ShotMultiLabelMAP': (lambda folder: {}, multi_label_samples),
}
"""For each registered metric, its config and the samples."""
