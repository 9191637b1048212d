import pytest
import torch
from mmengine.registry import MODELS
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import nn
from torch.testing import assert_close

from mmlt.models.posthoc.find import find_classifiers

C, D = 4, 6


def build(**kwargs):
    config = dict(type='mmlt.LWSHead', num_classes=C, in_channels=D, **kwargs)
    head = MODELS.build(config).double()
    nn.init.normal_(head.fc.weight)
    nn.init.normal_(head.fc.bias)
    return head


def test_weight_and_bias_are_scaled():
    head = build()
    scale = torch.tensor([0.5, -1.0, 2.0, 3.0])
    head.fc.scale.data = scale.double()
    feature = torch.randn(3, D, dtype=torch.float64)
    logits = head((feature,))
    for row, x in enumerate(feature):
        for k in range(C):
            dot = sum(w * v for w, v in zip(head.fc.weight[k], x, strict=True))
            expected = scale[k] * (dot + head.fc.bias[k])
            assert_close(logits[row, k], expected)


def test_starts_as_the_first_stage():
    """Whose checkpoint fills all but the scales."""
    stock = LinearClsHead(C, D)
    nn.init.normal_(stock.fc.weight)
    head = build().float()
    missing, unexpected = head.load_state_dict(
        stock.state_dict(), strict=False
    )
    assert missing == ['fc.scale']
    assert not unexpected
    feats = (torch.randn(3, D),)
    assert head(feats).equal(stock(feats))
    head.init_weights()
    assert head.fc.scale.eq(1).all()


def test_gradient():
    head = build()
    feature = torch.randn(3, D, dtype=torch.float64, requires_grad=True)
    parameters = head.fc.weight, head.fc.bias, head.fc.scale

    def logits(x, weight, bias, scale):
        values = dict(weight=weight, bias=bias, scale=scale)
        return torch.func.functional_call(head.fc, values, x)

    assert torch.autograd.gradcheck(logits, (feature, *parameters))


def test_class_without_images_keeps_its_scale():
    """Only by weight decay would it change, as in any classifier."""
    head = build().float()
    labels = [DataSample().set_gt_label(k) for k in (0, 1)]
    head.loss((torch.randn(2, D),), labels)['loss'].backward()
    assert head.fc.scale.grad.isfinite().all()
    assert head.fc.scale.grad.any()


def test_edits_refuse_it():
    with pytest.raises(ValueError, match='fc is a ScaledLinear'):
        find_classifiers(build())


def test_bfloat16_and_compile():
    head = build().float()
    feats = (torch.randn(3, D),)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = head(feats)
    assert_close(half.float(), head(feats), rtol=0.05, atol=0.05)
    assert_close(torch.compile(head, backend='eager')(feats), head(feats))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(num_classes=0), 'num_classes must be >= 1'),
        (dict(in_channels=2.5), 'in_channels must be a whole number'),
        (dict(scale=1), "unexpected keyword argument 'scale'"),
    ],
)
def test_bad_arguments(kwargs, message):
    config = dict(type='mmlt.LWSHead', num_classes=C, in_channels=D)
    with pytest.raises((TypeError, ValueError), match=message):
        MODELS.build({**config, **kwargs})
