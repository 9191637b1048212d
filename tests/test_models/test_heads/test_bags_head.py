import pytest
import torch
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmlt.models.losses import BAGSLoss

C, WIDTH = 4, 6
LOSS = dict(
    type='mmlt.BAGSLoss', thresholds=(10, 100), class_stats=[500, 50, 5, 6]
)
GROUPS = [[2, 3], [1], [0]]


def build(loss=LOSS, **kwargs):
    return MODELS.build(
        dict(
            type='mmlt.BAGSHead',
            num_classes=C,
            in_channels=WIDTH,
            loss=loss,
            **kwargs,
        )
    )


def make_samples(labels):
    return [DataSample().set_gt_label(label) for label in labels]


def test_loss_backpropagates():
    head = build(cal_acc=True)
    losses = head.loss((torch.randn(5, WIDTH),), make_samples([0, 1, 2, 3, 3]))
    assert set(losses) == {
        'loss_cls_group1',
        'loss_cls_group2',
        'loss_cls_group3',
        'acc_classes',
        'acc_group1',
        'acc_group2',
        'acc_group3',
    }
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert head.fc.weight.grad.shape == (C + 3, WIDTH)
    assert head.fc.weight.grad.any(dim=1).all()


def test_predictions_are_normalised_group_scores():
    head = build()
    feats = (torch.randn(5, WIDTH),)
    logits = head(feats)
    expected = torch.empty(5, C)
    for group, classes in enumerate(GROUPS):
        prob = logits[:, [*classes, C + group]].softmax(1)
        expected[:, classes] = prob[:, :-1]
    expected = expected / expected.sum(1, keepdim=True)
    for sample, scores in zip(head.predict(feats), expected, strict=True):
        assert_close(sample.pred_score, scores)
        assert sample.pred_label == scores.argmax()


def test_mixed_labels_are_refused():
    sample = DataSample().set_gt_score(torch.full((C,), 0.25))
    with pytest.raises(ValueError, match='soft'):
        build().loss((torch.randn(1, WIDTH),), [sample])


def test_types_may_be_classes():
    """As in MMEngine's pure Python configs."""
    head = build(dict(LOSS, type=BAGSLoss))
    assert type(head.loss_module) is BAGSLoss
    with pytest.raises(TypeError, match=r'mmlt\.BAGSLoss'):
        build(dict(type=torch.nn.CrossEntropyLoss))


def test_bad_loss():
    with pytest.raises(ValueError, match='background_group=False'):
        build(dict(LOSS, background_group=True))
    with pytest.raises(TypeError, match=r'mmlt\.BAGSLoss'):
        build(dict(type='mmpretrain.CrossEntropyLoss'))
