"""The heads with a memory beside image by image computations."""

import copy

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.checkpoint import load_state_dict
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmlt.models.heads import MultiLabelOLTRHead, OLTRHead
from mmlt.models.losses.centroid_loss import centroid_loss

B, C, D = 5, 3, 4
LABELS = [0, 1, 1, 0, 0]


@pytest.fixture(autouse=True)
def _scope():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def samples(labels=LABELS):
    return [DataSample().set_gt_label(label) for label in labels]


def feature(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, D, generator=generator, dtype=torch.float64)


def make(cls=OLTRHead, **kwargs):
    torch.manual_seed(0)
    head = cls(C, D, **kwargs).double()
    head.set_centroids([(feature(0), samples([0, 1, 2, 2, 0]))])
    return head


def literal(head, x):
    """Logits of one image."""
    memory = head.memory
    centroids = memory.centroids
    h = torch.stack(
        [
            memory.hallucinator.weight[k] @ x + memory.hallucinator.bias[k]
            for k in range(C)
        ]
    )
    share = h.exp() / h.exp().sum()
    v_memory = sum(share[k] * centroids[k] for k in range(C))
    concept = (memory.selector.weight @ x + memory.selector.bias).tanh()
    nearest = min((x - centroids[k]).square().sum().sqrt() for k in range(C))
    v = 10 / nearest * (x + concept * v_memory)
    norm = v.square().sum().sqrt()
    logits = []
    for w in head.classifier.weight:
        cosine = (v / norm) @ (w / w.square().sum().sqrt())
        logits.append(16 * norm / (1 + norm) * cosine)
    return torch.stack(logits)


@pytest.mark.parametrize('cls', [OLTRHead, MultiLabelOLTRHead])
def test_logits_are_literal(cls):
    head, x = make(cls), feature()
    expected = torch.stack([literal(head, each) for each in x])
    assert_close(head((x,)), expected, rtol=0, atol=1e-6)


def test_losses_are_literal():
    head, x = make(), feature()
    losses = head.loss((x,), samples())
    logits = torch.stack([literal(head, each) for each in x])
    ce = [z.exp().sum().log() - z[y]
          for z, y in zip(logits, LABELS, strict=True)]  # fmt: skip
    assert_close(losses['loss'], sum(ce) / B, rtol=0, atol=1e-6)
    target = torch.nn.functional.one_hot(torch.tensor(LABELS), C)
    expected = centroid_loss(x, head.memory.centroids, target)
    assert_close(losses['loss_centroid'], expected)


def test_multi_label_losses():
    """An image without labels, and labels that are not known."""
    head, x = make(MultiLabelOLTRHead), feature()
    labels = [[0], [1, 2], [], [0, 1, 2], [2]]
    target = torch.zeros(B, C)
    for row, each in enumerate(labels):
        target[row, each] = 1
    losses = head.loss((x,), samples(labels))
    z = torch.stack([literal(head, each) for each in x])
    p = 1 / (1 + (-z).exp())
    bce = -(target * p.log() + (1 - target) * (1 - p).log()).sum() / B
    # The stock loss of float32 targets.
    assert_close(losses['loss'].double(), bce, rtol=1e-6, atol=1e-6)
    expected = centroid_loss(x, head.memory.centroids, target)
    assert_close(losses['loss_centroid'], expected)
    scores = [DataSample().set_gt_score(each) for each in target]
    assert_close(head.loss((x,), scores), losses)


def test_gradcheck():
    head = make()
    x = feature().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: head((x,)), x)
    head.memory.centroids.requires_grad_(False)

    def total(x):
        return sum(head.loss((x,), samples()).values())

    assert torch.autograd.gradcheck(total, x)


def test_the_loss_of_the_logits_leaves_the_centroids():
    head = make()
    head.loss((feature(),), samples())['loss'].backward()
    assert head.memory.centroids.grad is None
    head.loss((feature(),), samples())['loss_centroid'].backward()
    assert head.memory.centroids.grad[:2].all()


@pytest.mark.parametrize('cls', [OLTRHead, MultiLabelOLTRHead])
def test_centroids_are_class_means(cls):
    head, x = cls(C, D).double(), feature()
    head.set_centroids([(x[:2], samples([0, 2])), (x[2:], samples([0, 0, 0]))])
    means = torch.stack([x[[0, 2, 3, 4]].mean(0), torch.zeros(D), x[1]])
    assert_close(head.memory.centroids.detach(), means, rtol=0, atol=1e-6)
    # A class without images and a feature on its centroid are no trouble.
    losses = head.loss((x,), samples([0, 2, 0, 0, 0]))
    sum(losses.values()).backward()
    for name, parameter in head.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.isfinite().all(), name


def test_centroids_of_several_labels():
    head, x = MultiLabelOLTRHead(C, D).double(), feature()
    target = torch.tensor(
        [[1, 1, 0], [0, 0, 0], [1, -1, 0], [0, 0, 1], [-1, 0, 1]]
    )
    scores = [DataSample().set_gt_score(each) for each in target]
    head.set_centroids([(x, scores)])
    means = torch.stack([x[[0, 2]].mean(0), x[0], x[3:].mean(0)])
    assert_close(head.memory.centroids.detach(), means, rtol=0, atol=1e-6)


def test_without_centroids():
    for head in (OLTRHead(C, D), MultiLabelOLTRHead(C, D)):
        with pytest.raises(ValueError, match='has no centroids') as error:
            head((torch.zeros(2, D),))
        assert 'ClassCentroidsHook' in str(error.value)
        # A checkpoint of before their time has none either.
        other = copy.deepcopy(head)
        other.load_state_dict(head.state_dict())
        with pytest.raises(ValueError, match='has no centroids'):
            other((torch.zeros(2, D),))


def test_checkpoint_round_trip():
    head, other = make(), OLTRHead(C, D).double()
    other.load_state_dict(head.state_dict())
    assert other((feature(),)).equal(head((feature(),)))


def test_a_moving_average_has_the_centroids():
    average = ExponentialMovingAverage(OLTRHead(C, D).double())
    average.module.load_state_dict(make().state_dict())
    assert average.module((feature(),)).isfinite().all()


@pytest.mark.parametrize(
    ('cls', 'first'),
    [
        (OLTRHead, 'LinearClsHead'),
        (MultiLabelOLTRHead, 'MultiLabelLinearClsHead'),
    ],
)
def test_the_first_stage_starts_the_hallucinator(cls, first):
    linear = MODELS.build(dict(type=first, num_classes=C, in_channels=D))
    state = {f'head.{k}': v for k, v in linear.state_dict().items()}
    model = torch.nn.ModuleDict({'head': cls(C, D)})
    classifier = model['head'].classifier.weight.clone()
    load_state_dict(model, state, strict=False)
    memory = model['head'].memory
    assert memory.hallucinator.weight.equal(linear.fc.weight)
    assert memory.hallucinator.bias.equal(linear.fc.bias)
    assert model['head'].classifier.weight.equal(classifier)
    assert not memory.has_centroids
    assert len(state) == 2  # The caller's stays.


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    head, x = make().float(), feature().float()
    with torch.autocast('cpu', dtype):
        logits = head((x,))
        losses = head.loss((x,), samples())
    assert_close(logits.float(), head((x,)), rtol=0.05, atol=0.3)
    exact = head.loss((x,), samples())
    assert_close(losses['loss_centroid'], exact['loss_centroid'])
    half = head.loss((x.to(dtype).float(),), samples())
    with torch.autocast('cpu', dtype):
        got = head.loss((x.to(dtype),), samples())
    assert_close(got['loss_centroid'], half['loss_centroid'])


def test_compiled():
    head, x = make().float(), feature().float()
    compiled = torch.compile(head, backend='eager')
    assert_close(compiled((x,)), head((x,)))
    step = torch.compile(lambda x: head.loss((x,), samples()), backend='eager')
    assert_close(step(x), head.loss((x,), samples()))


def test_empty_batch():
    head = make()
    x = torch.zeros(0, D, dtype=torch.float64, requires_grad=True)
    head((x,)).sum().backward()
    assert head((x,)).shape == (0, C)
    assert x.grad.shape == (0, D)


def test_large_and_zero_features():
    head = make()
    x = torch.stack([torch.zeros(D), torch.full((D,), 1e4)]).double()
    x.requires_grad_()
    logits = head((x,))
    logits.sum().backward()
    assert (logits.abs() <= 16).all()
    assert x.grad.isfinite().all()


def test_bad_input():
    head = make()
    with pytest.raises(ValueError, match='in_channels=4'):
        head((torch.zeros(2, D + 1),))
    with pytest.raises(ValueError, match=r'\(2, 4, 1, 1\)'):
        head((torch.zeros(2, D, 1, 1),))
    scores = [DataSample().set_gt_score(torch.zeros(C + 1))] * B
    with pytest.raises(ValueError, match='gt_score of the images has 4'):
        make(MultiLabelOLTRHead).targets(scores)


@pytest.mark.parametrize(
    'kwargs',
    [
        dict(scale=0), dict(reach=-1), dict(centroid_weight=0),
        dict(repel_weight=-1), dict(margin=float('nan')),
    ],
)  # fmt: skip
def test_bad_arguments(kwargs):
    (name,) = kwargs
    with pytest.raises(ValueError, match=f'{name} must be finite'):
        OLTRHead(C, D, **kwargs)
    with pytest.raises(ValueError, match='num_classes must be >= 1'):
        MultiLabelOLTRHead(0, D)
