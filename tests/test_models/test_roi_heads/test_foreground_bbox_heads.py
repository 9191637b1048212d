import numpy as np
import pytest
import torch
from mmengine.registry import MODELS
from torch.testing import assert_close

C, D, R = 3, 4, 12
LABELS = torch.arange(R) % C


def build(name='NCMBBoxHead', **kwargs):
    torch.manual_seed(0)
    head = MODELS.build(
        {
            'type': f'mmlt.{name}',
            'num_classes': C,
            'in_channels': 2,
            'fc_out_channels': D,
            'roi_feat_size': 2,
            **kwargs,
        }
    )
    head.init_weights()
    head.fc_cls.weight.data.normal_()
    head.fc_cls.bias.data.normal_()
    return head.double().eval()


def make_rois(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(R, 2, 2, 2, generator=generator, dtype=torch.float64)
    return 10 * x


def literal_layers(head, row):
    """Pre-ReLU output of the second layer, and the logits, of one RoI."""
    first, second = (
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in head.shared_fcs
    )
    x = np.maximum(first[0] @ row.reshape(-1) + first[1], 0)
    feature = second[0] @ x + second[1]
    weight = head.fc_cls.weight.detach().numpy()
    bias = head.fc_cls.bias.detach().numpy()
    return feature, weight @ np.maximum(feature, 0) + bias


def softmax(values):
    return np.exp(values) / np.exp(values).sum()


def describe(head, row, feature, how):
    value = literal_layers(head, row)[0]
    if feature == 'conv':
        value = np.array([channel.mean() for channel in row])
    return value / np.sqrt((value**2).sum()) if how == 'l2' else value


@pytest.mark.parametrize('feature', ['fc', 'conv'])
@pytest.mark.parametrize('how', ['l2', 'plain'])
def test_nearest_mean_takes_what_background_leaves(feature, how):
    head = build(feature=feature, normalize=how)
    train, x = make_rois(), make_rois(1)
    with torch.no_grad():
        described = head.describe(train, head.shared(train))
        head.set_means(
            [(described[:5], LABELS[:5]), (described[5:], LABELS[5:])]
        )
        scores, deltas = head(x)
    rows = [describe(head, row, feature, how) for row in train.numpy()]
    means = [np.mean(rows[k::C], axis=0) for k in range(C)]
    expected = np.zeros((R, C + 1))
    for index, row in enumerate(x.numpy()):
        value = describe(head, row, feature, how)
        nearest = np.argmin([((value - mean) ** 2).sum() for mean in means])
        background = softmax(literal_layers(head, row)[1])[-1]
        expected[index, nearest] = 1 - background
        expected[index, -1] = background
    assert len({*expected[:, :C].argmax(1)}) > 1
    # The means are float32 buffers.
    assert_close(scores.softmax(1), torch.from_numpy(expected))
    head.train()
    assert deltas.equal(head(x)[1])


@pytest.mark.parametrize('tau', [0.0, 0.5, 1.0])
def test_tau_norm_selects_among_the_classes(tau):
    head = build('TauNormBBoxHead', tau=tau)
    x = make_rois(1)
    with torch.no_grad():
        scores = head(x)[0].softmax(1)
    weight = head.fc_cls.weight.detach().numpy()
    for row, found in zip(x.numpy(), scores, strict=True):
        feature, logits = literal_layers(head, row)
        hidden = np.maximum(feature, 0)
        q = softmax(
            [w @ hidden / np.sqrt((w**2).sum()) ** tau for w in weight[:C]]
        )
        p = softmax(logits)
        expected = [*((1 - p[-1]) * q), p[-1]]
        assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_tau_0_without_bias_is_the_stock_head():
    head = build('TauNormBBoxHead', tau=0.0)
    head.fc_cls.bias.data.zero_()
    stock = MODELS.build(
        dict(
            type='mmdet.Shared2FCBBoxHead',
            num_classes=C,
            in_channels=2,
            fc_out_channels=D,
            roi_feat_size=2,
        )
    ).double()
    stock.load_state_dict(head.state_dict())
    for mine, theirs in zip(
        head(make_rois()), stock(make_rois()), strict=True
    ):
        assert_close(
            mine.softmax(1) if mine.size(1) == C + 1 else mine,
            theirs.softmax(1) if mine.size(1) == C + 1 else theirs,
        )
    # In training, the logits are those of the stock head in any case.
    head = build('TauNormBBoxHead', tau=1.0).train()
    stock.load_state_dict(head.state_dict())
    assert head(make_rois())[0].equal(stock(make_rois())[0])


def test_no_means_yet():
    head = build()
    assert head.train()(make_rois())[0].shape == (R, C + 1)
    with pytest.raises(ValueError, match=r'NCMBBoxHead has no class means'):
        head.eval()(make_rois())


def test_features_of_rois_have_no_maps():
    head = build(feature='conv')
    with pytest.raises(ValueError, match=r"feature='conv'.*use feature='fc'"):
        head.describe(torch.ones(R, 8), torch.ones(R, D))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(feature='rpn'), r"feature must be one of .*'rpn'"),
        (dict(normalize='l1'), 'normalize must be one of'),
        (
            dict(loss_cls=dict(type='mmlt.EQLv2Loss', num_classes=C)),
            'EQLv2Loss of NCMBBoxHead makes no softmax',
        ),
        (
            dict(cls_predictor_cfg=dict(type='mmdet.NormedLinear')),
            'leave out cls_predictor_cfg',
        ),
        (dict(with_avg_pool=True), 'with_avg_pool'),
        (dict(name='TauNormBBoxHead', tau=float('nan')), 'tau'),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)
