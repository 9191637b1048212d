import math

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmengine.config import ConfigDict
from torch.testing import assert_close

from mmlt.models.losses import BoxFocalLoss, EQLv2Loss

C = 3


def naive(scores, labels, gamma, alpha):
    losses = torch.zeros(scores.shape, dtype=torch.float64)
    for row, label in enumerate(labels.tolist()):
        for column in range(C):
            p = 1 / (1 + math.exp(-scores[row, column].item()))
            share = alpha
            if column != label:
                p, share = 1 - p, 1 - alpha
            losses[row, column] = -share * (1 - p) ** gamma * math.log(p)
    return losses


def make_batch():
    labels = torch.arange(12) % (C + 1)
    return torch.randn(12, C, dtype=torch.float64) * 3, labels


def make_head():
    return Shared2FCBBoxHead(
        in_channels=4,
        fc_out_channels=8,
        roi_feat_size=2,
        num_classes=C,
        bbox_coder=dict(
            type='mmdet.DeltaXYWHBBoxCoder', target_stds=(0.1, 0.1, 0.2, 0.2)
        ),
        loss_cls=dict(type='mmlt.BoxFocalLoss', num_classes=C),
        loss_bbox=dict(type='mmdet.L1Loss'),
    )


@pytest.mark.parametrize(('gamma', 'alpha'), [(2.0, 0.25), (0.5, 0.7)])
def test_equals_naive_loop(gamma, alpha):
    scores, labels = make_batch()
    loss = BoxFocalLoss(C, gamma, alpha, loss_weight=3.0)
    each = loss(scores, labels, reduction_override='none')
    assert_close(each, 3 * naive(scores, labels, gamma, alpha))
    weight = torch.arange(12.0)
    assert_close(
        loss(scores, labels, weight, avg_factor=5.0),
        (each * weight.unsqueeze(1)).sum() / 5,
    )
    assert_close(loss(scores, labels), each.mean())


def test_gamma_zero_is_half_of_binary_cross_entropy():
    scores, labels = make_batch()
    target = F.one_hot(labels, C + 1)[:, :-1].double()
    expected = F.binary_cross_entropy_with_logits(scores, target) / 2
    assert_close(BoxFocalLoss(C, 0.0, 0.5)(scores, labels), expected)


def test_gradcheck():
    scores, labels = make_batch()
    loss = BoxFocalLoss(C)
    assert torch.autograd.gradcheck(
        lambda z: loss(z, labels), scores.requires_grad_()
    )


def test_empty_batch_extreme_and_half_precision_logits():
    loss = BoxFocalLoss(C)
    scores = torch.zeros(0, C, requires_grad=True)
    value = loss(scores, torch.zeros(0, dtype=torch.long), avg_factor=1.0)
    value.backward()
    assert value == 0
    extreme = torch.tensor([[100.0, -100, 100]] * 2)
    labels = torch.tensor([1, C])
    assert loss(extreme, labels).isfinite()
    # 2,000 RoIs that all are wrong: their sum is above the largest float16.
    half, labels = extreme[:1].half().expand(2000, C), labels[:1].expand(2000)
    assert_close(
        loss(half, labels, avg_factor=1.0),
        loss(half.double(), labels, avg_factor=1.0).float(),
    )


def test_box_head_tests_what_it_trains():
    head = make_head()
    assert head.fc_cls.out_features == C
    scores = torch.tensor([[0.0, 1.0, -1.0]])
    expected = torch.tensor([[0.0, 1.0, -1.0, -1.0]]).sigmoid()
    assert_close(head.loss_cls.get_activation(scores), expected)
    rois = torch.tensor([[0.0, 2, 2, 20, 20]])
    results = head.predict_by_feat(
        rois=(rois,),
        cls_scores=(scores,),
        bbox_preds=(torch.zeros(1, 4 * C),),
        batch_img_metas=[dict(img_shape=(32, 32), scale_factor=(1.0, 1.0))],
        rcnn_test_cfg=ConfigDict(
            score_thr=0.0,
            nms=dict(type='nms', iou_threshold=0.5),
            max_per_img=10,
        ),
    )[0]
    # The scores of the classes, falling; the background is no box.
    assert results.labels.tolist() == [1, 0, 2]
    assert_close(results.scores, expected[0, [1, 0, 2]])


def test_accuracy_is_that_of_the_foreground():
    accuracy = BoxFocalLoss(C).get_accuracy(
        torch.eye(C), torch.tensor([0, 2, C])
    )
    assert_close(accuracy['acc_classes'], torch.tensor(50.0))


def test_bad_input():
    with pytest.raises(ValueError, match='gamma'):
        BoxFocalLoss(C, gamma=-1.0)
    with pytest.raises(ValueError, match='alpha'):
        BoxFocalLoss(C, alpha=1.5)
    with pytest.raises(ValueError, match='reduction'):
        BoxFocalLoss(C, reduction='max')
    with pytest.raises(ValueError, match=r'\(R, 3\)'):
        BoxFocalLoss(C)(torch.zeros(1, C + 1), torch.tensor([0]))
    for loss in (BoxFocalLoss(C), EQLv2Loss(C)):
        with pytest.raises(ValueError, match='num_classes=4 and its'):
            loss.get_cls_channels(4)
