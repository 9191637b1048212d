import pytest
import torch
from mmcv.cnn import Conv2d
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmlt.class_stats import ClassStats
from mmlt.models.posthoc.edits import LogitAdjustment, TauNorm
from mmlt.models.posthoc.find import find_classifiers

STATS = ClassStats.single_label([50, 8, 1])


def build(config, scope):
    with DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(config)


def image_classifier(head):
    backbone = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4)
    backbone.update(strides=(1, 1, 1, 1))
    return build(
        dict(
            type='ImageClassifier',
            backbone=backbone,
            neck=dict(type='GlobalAveragePooling'),
            head=dict(num_classes=3, **head),
        ),
        'mmpretrain',
    )


def names_of(model, layers=None):
    return [item.name for item in find_classifiers(model, layers)]


def edit(classifier, edit):
    layer = classifier.layer
    weight, bias = edit(layer.weight.detach(), layer.bias.detach(), 3, STATS)
    layer.load_state_dict(dict(weight=weight, bias=bias))


@pytest.mark.parametrize(
    ('head', 'name'),
    [
        (dict(type='LinearClsHead', in_channels=32), 'head.fc'),
        (dict(type='MultiLabelLinearClsHead', in_channels=32), 'head.fc'),
        (
            dict(
                type='StackedLinearClsHead',
                in_channels=32,
                mid_channels=[3, 3],
            ),
            'head.layers.2.fc',
        ),
        (
            dict(type='VisionTransformerClsHead', in_channels=32),
            'head.layers.head',
        ),
        (
            dict(
                type='VisionTransformerClsHead', in_channels=32, hidden_dim=3
            ),
            'head.layers.head',
        ),
        (dict(type='VigClsHead', in_channels=32), 'head.fc2'),
        (
            dict(
                type='EfficientFormerClsHead',
                in_channels=32,
                distillation=False,
            ),
            'head.head',
        ),
    ],
)
def test_stock_classification_heads(head, name):
    model = image_classifier(head)
    (found,) = find_classifiers(model)
    assert found.name == name
    assert found.layer is model.get_submodule(name)
    assert found.num_classes == 3
    # Inside a wrapper the name is the same: it is that in the checkpoint.
    assert names_of(nn.DataParallel(model)) == [name]


def test_the_mean_of_two_tokens_is_adjusted_as_a_whole():
    head = build(
        dict(type='DeiTClsHead', num_classes=3, in_channels=4), 'mmpretrain'
    ).eval()
    tokens = [torch.randn(5, 4), torch.randn(5, 4)]
    before = head([tokens])
    found = find_classifiers(head)
    assert [each.name for each in found] == ['layers.head', 'layers.head_dist']
    for each in found:
        edit(each, LogitAdjustment(background='sum'))
    expected = before - torch.from_numpy(STATS.prior()).log().float()
    torch.testing.assert_close(head([tokens]), expected)


def test_predictions_of_an_edited_classifier():
    model = image_classifier(dict(type='LinearClsHead', in_channels=32)).eval()
    images = torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        logits = model(images, mode='tensor')
        (found,) = find_classifiers(model)
        edit(found, LogitAdjustment(tau=1.5))
        scores = torch.stack(
            [sample.pred_score for sample in model(images, mode='predict')]
        )
    log_pi = torch.from_numpy(STATS.prior()).log().float()
    torch.testing.assert_close(scores, (logits - 1.5 * log_pi).softmax(1))


@pytest.mark.parametrize(
    ('config', 'stages'),
    [('faster-rcnn_r50_fpn', None), ('cascade-rcnn_r50_fpn', 3)],
)
@pytest.mark.parametrize(
    'this', [LogitAdjustment(background='sum'), TauNorm(0.7)]
)
def test_stock_detectors_keep_the_background(detector, config, stages, this):
    model = detector(config)
    found = find_classifiers(model)
    heads = model.roi_head.bbox_head
    if stages is None:
        assert [each.name for each in found] == ['roi_head.bbox_head.fc_cls']
        heads = [heads]
    else:
        assert [each.name for each in found] == [
            f'roi_head.bbox_head.{i}.fc_cls' for i in range(stages)
        ]
    rois = torch.randn(6, 4, 2, 2)
    for head, each in zip(heads, found, strict=True):
        assert each.num_classes == 3
        before, boxes = head(rois)
        state = {k: v.clone() for k, v in head.state_dict().items()}
        edit(each, this)

        after, same_boxes = head(rois)

        assert torch.equal(after[:, 3], before[:, 3])
        assert torch.equal(same_boxes, boxes)
        if isinstance(this, LogitAdjustment):
            log_pi = torch.from_numpy(STATS.prior()).log().float()
            torch.testing.assert_close(after[:, :3], before[:, :3] - log_pi)
        else:
            norm = state['fc_cls.weight'][:3].norm(dim=1)
            logits = before[:, :3] - state['fc_cls.bias'][:3]
            torch.testing.assert_close(after[:, :3], logits / norm**0.7)
        for key, value in head.state_dict().items():
            if key.startswith('fc_cls'):
                assert torch.equal(value[3:], state[key][3:])
            else:
                assert torch.equal(value, state[key])


def test_heads_without_their_model(detector):
    model = detector('cascade-rcnn_r50_fpn')
    assert names_of(model.roi_head) == [
        f'bbox_head.{i}.fc_cls' for i in range(3)
    ]
    assert names_of(model.roi_head.bbox_head[0]) == ['fc_cls']


def test_other_models_need_a_name():
    class Net(nn.Module):
        num_classes = 3

        def __init__(self):
            super().__init__()
            self.trunk = nn.Linear(4, 5)
            self.last = nn.Sequential(nn.ReLU(), Conv2d(5, 4, 1))
            self.norm = nn.BatchNorm1d(3)

    model = Net()
    with pytest.raises(ValueError, match=r'no classifier.*trunk \(5, 4\)'):
        find_classifiers(model)
    with pytest.raises(ValueError, match=r"no module 'fc' .*last\.1 \(4, 5"):
        find_classifiers(model, ['fc'])
    with pytest.raises(ValueError, match='norm is a BatchNorm1d'):
        find_classifiers(model, ['norm'])
    with pytest.raises(ValueError, match=r'trunk cannot.*5 rows.*expected 3'):
        find_classifiers(model, ['trunk'])
    with pytest.raises(ValueError, match='list of module names'):
        find_classifiers(model, 'last.1')
    (found,) = find_classifiers(model, ['last.1'])
    assert found.layer is model.last[1]
    assert found.num_classes == 3


def test_a_layer_that_normalises_its_weight_is_refused(detector):
    model = detector(
        'faster-rcnn_r50_fpn', cls_predictor_cfg=dict(type='NormedLinear')
    )
    with pytest.raises(ValueError, match='is a NormedLinear; only a plain'):
        find_classifiers(model)


def test_logits_with_a_layout_of_their_own_are_refused(detector):
    model = detector(
        'faster-rcnn_r50_fpn',
        loss_cls=dict(type='SeesawLoss', num_classes=3),
    )
    with pytest.raises(ValueError, match=r'fc_cls cannot.* 5 rows'):
        find_classifiers(model)
