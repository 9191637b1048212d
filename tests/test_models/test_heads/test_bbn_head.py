import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn
from torch._dynamo.testing import CompileCounter

from mmlt.models import BBNHead

NUM_CLASSES, WIDTH, BATCH = 5, 3, 4


def make_feats(dtype=torch.float64):
    torch.manual_seed(0)
    feats = torch.randn(2, BATCH, WIDTH, dtype=dtype, requires_grad=True)
    return feats, torch.randint(NUM_CLASSES, (2 * BATCH,))


def make_samples(labels):
    return [DataSample().set_gt_label(label) for label in labels]


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('scale', [1.0, 2.0])
@pytest.mark.parametrize('alpha', [0.0, 0.3, 1.0])
def test_loss_and_gradients_against_single_samples(alpha, scale, bias):
    head = BBNHead(NUM_CLASSES, WIDTH, train_scale=scale, bias=bias).double()
    assert (head.fc.bias is not None) == bias
    feats, labels = make_feats()
    tensor = torch.tensor(alpha, dtype=torch.float64)
    loss = head.loss(feats.unbind(), make_samples(labels), tensor)['loss']

    expected = 0
    w_c, w_r = head.fc.weight.split(WIDTH, dim=1)
    for i in range(BATCH):
        z = scale * (alpha * w_c @ feats[0, i])
        z = z + scale * ((1 - alpha) * w_r @ feats[1, i])
        if bias:
            z = z + head.fc.bias
        log_p = z - z.exp().sum().log()
        y_c, y_r = labels[i], labels[BATCH + i]
        expected = expected - alpha * log_p[y_c] - (1 - alpha) * log_p[y_r]
    expected = expected / BATCH

    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-9)
    leaves = [feats, *head.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(loss, leaves),
        torch.autograd.grad(expected, leaves),
        rtol=1e-9,
        atol=1e-9,
    )


def test_gradcheck():
    head = BBNHead(NUM_CLASSES, WIDTH).double()
    feats, labels = make_feats()
    samples = make_samples(labels)
    alpha = torch.tensor(0.7, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda *pair: head.loss(pair, samples, alpha)['loss'],
        tuple(feats.detach().requires_grad_().unbind()),
    )


@pytest.mark.parametrize('scale', [1.0, 2.0])
def test_test_time_is_training_at_alpha_one_half(scale):
    head = BBNHead(NUM_CLASSES, WIDTH, train_scale=scale).double()
    feats, _ = make_feats()
    pair = feats.unbind()
    torch.testing.assert_close(head(pair), head(pair, torch.tensor(0.5)))
    joined = torch.cat(pair, dim=1) * (scale / 2)
    torch.testing.assert_close(head.pre_logits(pair), joined)
    torch.testing.assert_close(head(pair), head.fc(joined))


def test_accuracy_is_weighted_by_alpha():
    head = BBNHead(3, 1, bias=False, topk=(1, 2), cal_acc=True)
    with torch.no_grad():
        head.fc.weight.copy_(torch.tensor([[3.0, 3.0], [2.0, 2.0], [1, 1]]))
    feats = (torch.ones(4, 1), torch.ones(4, 1))
    # Each image scores class 0 > 1 > 2.
    samples = make_samples([0, 0, 0, 2, 0, 1, 1, 1])
    losses = head.loss(feats, samples, torch.tensor(0.25))
    (top1,), (top2,) = losses['accuracy_top-1'], losses['accuracy_top-2']
    assert top1.item() == pytest.approx(0.25 * 75 + 0.75 * 25)
    assert top2.item() == pytest.approx(0.25 * 75 + 0.75 * 100)


def test_soft_targets_equal_hard_ones():
    head = BBNHead(
        NUM_CLASSES, WIDTH, loss=dict(type='CrossEntropyLoss', use_soft=True)
    ).double()
    feats, labels = make_feats()
    scores = nn.functional.one_hot(labels, NUM_CLASSES).double()
    soft = [DataSample().set_gt_score(score) for score in scores]
    alpha = torch.tensor(0.6, dtype=torch.float64)
    loss = head.loss(feats.unbind(), soft, alpha)['loss']
    hard = BBNHead(NUM_CLASSES, WIDTH).double()
    hard.load_state_dict(head.state_dict())
    expected = hard.loss(feats.unbind(), make_samples(labels), alpha)['loss']
    torch.testing.assert_close(loss, expected)


def test_other_losses_plug_in():
    head = BBNHead(
        NUM_CLASSES,
        WIDTH,
        loss=dict(
            type='LabelSmoothLoss', label_smooth_val=0.1, loss_weight=3.0
        ),
    ).double()
    feats, labels = make_feats()
    pair = feats.unbind()
    loss = head.loss(pair, make_samples(labels), torch.tensor(1.0))['loss']
    expected = 3 * nn.functional.cross_entropy(
        head(pair, 1.0), labels[:BATCH], label_smoothing=0.1
    )
    torch.testing.assert_close(loss, expected)


def test_logit_adjusted_loss_plugs_in():
    counts = [100, 50, 20, 5, 1]
    head = BBNHead(
        NUM_CLASSES,
        WIDTH,
        loss=dict(
            type='mmlt.LogitAdjustedLoss',
            class_stats=dict(image_count=counts, num_images=sum(counts)),
        ),
    ).double()
    feats, labels = make_feats()
    pair, alpha = feats.unbind(), 0.25
    loss = head.loss(pair, make_samples(labels), torch.tensor(alpha))['loss']
    adjusted = head(pair, alpha) + torch.tensor(counts).double().log()
    of_c, of_r = (
        nn.functional.cross_entropy(adjusted, y) for y in labels.split(BATCH)
    )
    torch.testing.assert_close(
        loss, alpha * of_c + (1 - alpha) * of_r, rtol=1e-6, atol=1e-6
    )


def test_large_logits_and_half_precision_stay_finite():
    feats, labels = make_feats(torch.float32)
    head = BBNHead(NUM_CLASSES, WIDTH)
    with torch.no_grad():
        head.fc.weight.fill_(100.0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = head.loss(
            feats.bfloat16().unbind(), make_samples(labels), torch.tensor(0.5)
        )['loss']
    assert loss.isfinite()
    assert loss.dtype == torch.float32


def test_no_recompilation_when_alpha_changes():
    counter = CompileCounter()
    head = BBNHead(NUM_CLASSES, WIDTH)
    compiled = torch.compile(head.forward, backend=counter, fullgraph=True)
    pair = torch.rand(2, BATCH, WIDTH).unbind()
    alpha = torch.tensor(1.0)
    for value in (1.0, 0.7, 0.0):
        out = compiled(pair, alpha.fill_(value))
        torch.testing.assert_close(out, head(pair, value))
    assert counter.frame_count == 1


def test_one_feature_is_refused():
    with pytest.raises(ValueError, match='features of two branches'):
        BBNHead(NUM_CLASSES, WIDTH)((torch.rand(BATCH, WIDTH),))


@pytest.mark.parametrize(
    ('argument', 'value'),
    [
        ('num_classes', 0),
        ('in_channels', 0),
        ('train_scale', 0.0),
        ('train_scale', float('nan')),
        ('train_scale', float('inf')),
    ],
)
def test_bad_arguments(argument, value):
    config = dict(type='mmlt.BBNHead', num_classes=2, in_channels=2)
    with pytest.raises(ValueError, match=argument):
        MODELS.build({**config, argument: value})
