"""Losses in the heads of MMDetection: those that fit, and what is said."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses_of_heads import check_losses_of_heads

C, WIDTH, SIZE = 3, 8, 64
STATS = ClassStats([9, 4, 2], [20, 5, 2], 12)
SIGMOID = dict(use_sigmoid=True, num_classes=C)
ANCHORS = dict(
    type='mmdet.AnchorGenerator',
    octave_base_scale=4,
    scales_per_octave=1,
    ratios=[1.0],
    strides=[8, 16],
)
ASSIGNED = dict(allowed_border=-1, pos_weight=-1)
BAGS = dict(thresholds=(5,))
HEADS = dict(
    RetinaHead=dict(
        stacked_convs=1,
        anchor_generator=ANCHORS,
        train_cfg=dict(
            assigner=dict(
                type='mmdet.MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4
            ),
            sampler=dict(type='mmdet.PseudoSampler'),
            **ASSIGNED,
        ),
    ),
    ATSSHead=dict(
        stacked_convs=1,
        anchor_generator=ANCHORS,
        norm_cfg=None,
        loss_bbox=dict(type='mmdet.GIoULoss'),
        train_cfg=dict(
            assigner=dict(type='mmdet.ATSSAssigner', topk=9), **ASSIGNED
        ),
    ),
    FCOSHead=dict(
        stacked_convs=1,
        strides=[8, 16],
        regress_ranges=((-1, 24), (24, 1e8)),
        norm_cfg=None,
    ),
)
LOSSES = {
    'BoxFocalLoss': {},
    'BoxLogitAdjustedLoss': {},
    'ECMLoss': {},
    'EFLLoss': {},
    'EQLLoss': dict(frequency=0.3),
    'EQLv2Loss': {},
    'FederatedLoss': dict(num_sampled=2),
    'SigmoidSeesawLoss': {},
}


def make_head(kind, loss, **kwargs):
    torch.manual_seed(0)
    config = dict(
        type=f'mmdet.{kind}',
        num_classes=C,
        in_channels=WIDTH,
        feat_channels=WIDTH,
        loss_cls=dict(type=f'mmlt.{loss}', **kwargs),
        test_cfg=dict(
            nms_pre=50, score_thr=0.0, max_per_img=100, min_bbox_size=0,
            nms=dict(type='nms', iou_threshold=0.5),
        ),
        **HEADS[kind],
    )  # fmt: skip
    head = MODELS.build(ConfigDict(config))
    for module in head.modules():
        if hasattr(module, 'set_class_stats'):
            module.set_class_stats(STATS)
    return head


def scene():
    boxes = torch.tensor([[4.0, 4, 40, 40], [20, 24, 60, 60]])
    sample = DetDataSample(
        metainfo=dict(
            img_shape=(SIZE, SIZE), pad_shape=(SIZE, SIZE), scale_factor=(1, 1)
        )
    )
    sample.gt_instances = InstanceData(
        bboxes=boxes, labels=torch.tensor([0, 2])
    )
    return sample


def maps():
    return [torch.randn(2, WIDTH, SIZE // s, SIZE // s) for s in (8, 16)]


def total(losses):
    """The sum of the losses; there is nothing else in them."""
    assert all(name.startswith('loss') for name in losses)
    values = [v if isinstance(v, list) else [v] for v in losses.values()]
    return sum(sum(each) for each in values)


@pytest.mark.parametrize('kind', HEADS)
@pytest.mark.parametrize('loss', LOSSES)
def test_dense_heads_train_and_score_sigmoids(kind, loss):
    head = make_head(kind, loss, **SIGMOID, **LOSSES[loss])
    check_losses_of_heads(head)
    feats = maps()
    value = total(head.loss(feats, [scene(), scene()]))
    value.backward()
    assert value.isfinite()
    classifier = next(
        module
        for name, module in head.named_modules()
        if name in ('retina_cls', 'atss_cls', 'conv_cls')
    )
    assert classifier.out_channels == C
    assert classifier.weight.grad.any()
    # The boxes of best score have a class, and the sigmoid of its logit.
    with torch.no_grad():
        (result, _) = head.eval().predict(feats, [scene(), scene()])
        logits = torch.cat([each[0].flatten() for each in head(feats)[0]])
    assert set(result.labels.tolist()) <= set(range(C))
    if kind == 'RetinaHead':
        assert_close(result.scores.max(), logits.max().sigmoid())


@pytest.mark.parametrize('loss', ['BoxFocalLoss', 'EFLLoss'])
def test_balanced_losses_are_the_stock_focal_loss_in_a_head(loss):
    ours = make_head('RetinaHead', loss, **SIGMOID)
    stock = make_head('RetinaHead', loss, **SIGMOID)
    stock.loss_cls = MODELS.build(
        dict(type='mmdet.FocalLoss', use_sigmoid=True)
    )
    feats, samples = maps(), [scene(), scene()]
    values = [each.loss(feats, samples)['loss_cls'] for each in (ours, stock)]
    # Before the first level has given EFL a ratio.
    assert_close(values[0][0], values[1][0])


def detr(loss):
    return MODELS.build(
        dict(
            type='mmdet.DeformableDETRHead',
            num_classes=C,
            embed_dims=WIDTH,
            num_pred_layer=1,
            loss_cls=loss,
            train_cfg=dict(
                assigner=dict(
                    type='mmdet.HungarianAssigner',
                    match_costs=[
                        dict(type='mmdet.FocalLossCost', weight=2.0),
                        dict(type='mmdet.BBoxL1Cost', weight=5.0),
                    ],
                )
            ),
            test_cfg=dict(max_per_img=10),
        )
    )


@pytest.mark.parametrize('loss', LOSSES)
def test_a_head_of_queries(loss):
    head = detr(dict(type=f'mmlt.{loss}', **SIGMOID, **LOSSES[loss]))
    check_losses_of_heads(head)
    head.loss_cls.set_class_stats(STATS)
    states = torch.randn(1, 2, 12, WIDTH)
    references = [torch.rand(2, 12, 2)]
    scores, boxes = head(states, references)
    losses = head.loss_by_feat(
        scores, boxes, None, None,
        [scene().gt_instances, scene().gt_instances],
        [scene().metainfo, scene().metainfo],
    )  # fmt: skip
    value = total(losses)
    value.backward()
    assert value.isfinite()
    assert head.cls_branches[0].weight.grad.any()
    (result, _) = head.predict_by_feat(
        scores, boxes, [scene().metainfo, scene().metainfo]
    )
    assert_close(result.scores, scores[0, 0].sigmoid().flatten().topk(10)[0])


def test_a_softmax_with_a_background_trains_in_dense_heads():
    head = make_head('RetinaHead', 'LogitAdjustedLoss')
    check_losses_of_heads(head)
    assert total(head.loss(maps(), [scene(), scene()])).isfinite()
    softmax = detr(dict(type='mmlt.LogitAdjustedLoss'))
    assert softmax.cls_out_channels == C + 1


@pytest.mark.parametrize(
    ('kind', 'loss', 'kwargs', 'message'),
    [
        ('RetinaHead', 'EFLLoss', {}, 'set use_sigmoid=True and num_cl'),
        (
            'FCOSHead',
            'BAGSLoss',
            BAGS,
            'FCOSHead .*BAGSLoss: .* own for',
        ),
        ('ATSSHead', 'SeesawLoss', {}, 'columns of its own for the backgr'),
        ('RetinaHead', 'ReweightedBCELoss', {}, 'set use_sigmoid=True in it'),
    ],
)
def test_what_a_dense_head_cannot_take(kind, loss, kwargs, message):
    with pytest.raises(ValueError, match=message):
        check_losses_of_heads(make_head(kind, loss, **kwargs))


def test_another_number_of_classes():
    head = make_head('RetinaHead', 'EFLLoss', **SIGMOID)
    head.num_classes = 5
    head.cls_out_channels = 5
    with pytest.raises(ValueError, match='it has num_classes=3, the head 5'):
        check_losses_of_heads(head)


def test_num_classes_is_asked_for_in_a_dense_head():
    with pytest.raises(ValueError, match=r'use_sigmoid=True.*num_classes'):
        MODELS.build(dict(type='mmlt.EFLLoss', use_sigmoid=True))


def test_heads_that_give_qualities():
    head = MODELS.build(
        dict(
            type='mmdet.GFLHead',
            num_classes=C,
            in_channels=WIDTH,
            stacked_convs=1,
            anchor_generator=ANCHORS,
            norm_cfg=None,
            loss_cls=dict(type='mmlt.EFLLoss', **SIGMOID),
        )
    )
    with pytest.raises(ValueError, match=r'no plain labels .*ATSSHead'):
        check_losses_of_heads(torch.nn.ModuleDict({'bbox_head': head}))
    # A run without the check stops at the first step.
    with pytest.raises(ValueError, match=r'target is a tuple: .* qualities'):
        head.loss_cls(torch.zeros(2, C), (torch.tensor([0, 3]), torch.ones(2)))


def box_head(kind='Shared2FCBBoxHead', **loss):
    return MODELS.build(
        dict(
            type=f'mmdet.{kind}',
            in_channels=WIDTH,
            fc_out_channels=WIDTH,
            roi_feat_size=2,
            num_classes=C,
            loss_cls=loss,
        )
    )


@pytest.mark.parametrize(
    ('loss', 'message'),
    [
        (dict(type='mmlt.EQLv2Loss', **SIGMOID), 'is for dense heads'),
        (dict(type='mmlt.ReweightedBCELoss'), 'for dense heads and classi'),
    ],
)
def test_what_a_box_head_cannot_take(loss, message):
    with pytest.raises(ValueError, match=message):
        check_losses_of_heads(box_head(**loss))


def test_box_heads_and_classifiers_are_left_alone():
    check_losses_of_heads(box_head(type='mmlt.BAGSLoss'))
    check_losses_of_heads(box_head(type='mmlt.FederatedLoss'))
    check_losses_of_heads(torch.nn.Linear(2, 2))


def test_a_box_head_that_never_asks():
    head = box_head(type='mmlt.EQLLoss')
    other = torch.nn.Module()
    other.num_classes, other.loss_cls = C, head.loss_cls
    with pytest.raises(ValueError, match='never asks a loss for its columns'):
        check_losses_of_heads(other)
