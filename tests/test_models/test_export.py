"""What is exported gives the scores of testing."""

import pytest
import torch
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmengine.registry import MODELS
from torch.testing import assert_close

from mmlt.models.export import ClassScores

C, WIDTH = 4, 6
COUNTS = [500, 50, 5, 6]
LOSSES = {
    'BAGSLoss': dict(thresholds=(10, 100), class_stats=COUNTS),
    'BoxFocalLoss': {},
    'EQLLoss': dict(class_stats=COUNTS),
    'EQLv2Loss': {},
    'SeesawLoss': {},
}


def make_classifier():
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=dict(
                type='mmlt.BAGSHead',
                num_classes=C,
                in_channels=16,
                loss=dict(type='mmlt.BAGSLoss', **LOSSES['BAGSLoss']),
            ),
        )
    )
    model.init_weights()
    torch.nn.init.normal_(model.head.fc.weight)
    return model.eval()


def make_box_head(name):
    torch.manual_seed(0)
    head = Shared2FCBBoxHead(
        in_channels=WIDTH,
        fc_out_channels=8,
        roi_feat_size=2,
        num_classes=C,
        bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
        loss_cls=dict(type=f'mmlt.{name}', **LOSSES[name]),
        loss_bbox=dict(type='mmdet.L1Loss'),
    )
    return head.eval()


def cases():
    """Models and their inputs."""
    yield make_classifier(), torch.randn(3, 3, 16, 16)
    for name in LOSSES:
        yield make_box_head(name), torch.randn(3, WIDTH, 2, 2)


CASES = ['classifier', *LOSSES]


def case(name):
    return dict(zip(CASES, cases(), strict=True))[name]


def test_scores_of_a_classifier_are_those_of_testing():
    model, images = case('classifier')
    assert model(images).shape == (3, C + 3)
    scores = ClassScores(model)(images)
    predicted = [sample.pred_score for sample in model.predict(images)]
    assert_close(scores, torch.stack(predicted))
    feats = model.extract_feat(images)
    assert_close(ClassScores(model.head)(feats), scores)


@pytest.mark.parametrize('name', LOSSES)
def test_scores_of_a_box_head_are_those_of_testing(name):
    head, feats = case(name)
    scores, deltas = ClassScores(head)(feats)
    logits, expected_deltas = head(feats)
    (result,) = head.predict_by_feat(
        (torch.tensor([[0, 4, 4, 20, 20.0]]).expand(3, 5),),
        (logits,),
        (torch.zeros(3, 4 * C),),
        [dict(img_shape=(64, 64))],
    )
    assert_close(scores, result.scores)
    assert_close(deltas, expected_deltas)


@pytest.mark.parametrize('name', CASES)
def test_exported_program(name):
    model, inputs = case(name)
    program = torch.export.export(ClassScores(model), (inputs,)).module()
    assert_close(program(inputs), ClassScores(model)(inputs))


@pytest.mark.parametrize('name', CASES)
def test_onnx(name, run_onnx):
    model, inputs = case(name)
    values = run_onnx(ClassScores(model), inputs)
    expected = ClassScores(model)(inputs)
    expected = [expected] if name == 'classifier' else expected
    for value, each in zip(values, expected, strict=True):
        assert_close(value, each, rtol=1e-4, atol=1e-5)


def test_other_models_are_refused():
    head = MODELS.build(
        dict(type='mmpretrain.LinearClsHead', num_classes=3, in_channels=4)
    )
    with pytest.raises(TypeError, match='LinearClsHead is neither'):
        ClassScores(head)
