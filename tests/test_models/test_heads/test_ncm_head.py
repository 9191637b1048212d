import numpy as np
import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner.checkpoint import load_state_dict
from torch.testing import assert_close

from mmlt.models.posthoc.find import find_classifiers

C, D = 3, 5
LABELS = torch.tensor([0, 1, 1, 2, 0, 0, 2, 1])


def build(normalize='cl2n', **kwargs):
    config = dict(
        type='mmlt.NCMHead', num_classes=C, in_channels=D, normalize=normalize
    )
    return MODELS.build({**config, **kwargs})


def features(seed=0, shift=1.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(8, D, generator=generator) + shift


def batches(x):
    return [(x[:3], LABELS[:3]), (x[3:], LABELS[3:])]


def literal(normalize, train, x):
    """-||f(x) - m_k||^2, one image and one class after the other."""
    train, x = train.double().numpy(), x.double().numpy()

    def f(row):
        if normalize == 'plain':
            return row
        if normalize == 'cl2n':
            row = row - train.sum(axis=0) / len(train)
        return row / np.sqrt((row**2).sum())

    logits = np.empty((len(x), C))
    for k in range(C):
        rows = [f(r) for r, y in zip(train, LABELS, strict=True) if y == k]
        mean = sum(rows) / len(rows)
        for i, row in enumerate(x):
            logits[i, k] = -((f(row) - mean) ** 2).sum()
    return torch.from_numpy(logits)


@pytest.mark.parametrize('normalize', ['plain', 'l2', 'cl2n'])
def test_literal_distances(normalize):
    head = build(normalize).double()
    train, x = features().double(), features(1)[:4].double()
    head.set_means(batches(train))
    assert_close(head((x,)), literal(normalize, train, x))
    # And in the precision of models, far from the origin, too.
    head = build(normalize)
    train, x = features(shift=30.0), features(1, shift=30.0)[:4]
    head.set_means(batches(train))
    expected = literal(normalize, train, x)
    assert_close(head((x,)).double(), expected, rtol=1e-3, atol=5e-3)


def test_feature_of_a_mean_is_its_class():
    head = build('plain')
    head.set_means(batches(features()))
    samples = head.predict((head.means,))
    assert [int(sample.pred_label) for sample in samples] == [0, 1, 2]


def test_gradient_reaches_the_backbone():
    head = build().double()
    head.set_means(batches(features().double()))
    x = features(1)[:4].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: head((x,)), (x,))


def test_no_means_yet():
    with pytest.raises(ValueError, match=r'no class means.*ClassMeansLoop'):
        build()((features(),))


def test_checkpoint_carries_the_means():
    head, loaded = build(), build()
    head.set_means(batches(features()))
    state = {name: value.clone() for name, value in head.state_dict().items()}
    assert set(state) == {'cl2n_means', 'center'}
    loaded.load_state_dict(state)
    x = (features(1),)
    assert loaded(x).equal(head(x))
    # One that was computed for another normalisation does not serve.
    other = build('l2')
    load_state_dict(other, state)
    with pytest.raises(ValueError, match="class means of normalize='l2'"):
        other(x)
    # And means of another data set neither: MMEngine logs the shapes.
    more = build(num_classes=C + 1)
    load_state_dict(more, state)
    with pytest.raises(ValueError, match='no class means'):
        more(x)


def test_loads_a_head_without_means():
    head = build()
    head.load_state_dict(build().state_dict())
    assert not len(head.means)


def test_class_without_images_is_named():
    pairs = [(features(), LABELS.clamp(max=1))]
    with pytest.raises(ValueError, match=r'nothing of the classes \[2\]'):
        build().set_means(pairs)


def means_of_rank(rank):
    head = build()
    x = features()
    head.set_means([(x[rank::2], LABELS[rank::2])])
    return head.means.tolist(), head.center.tolist()


def test_two_ranks_equal_one(on_two_ranks):
    first, second = on_two_ranks(means_of_rank)
    assert first == second
    head = build()
    head.set_means(batches(features()))
    assert_close(torch.tensor(first[0]), head.means, rtol=1e-6, atol=1e-7)
    assert_close(torch.tensor(first[1]), head.center, rtol=1e-6, atol=1e-7)


def test_autocast_keeps_precision():
    head = build('plain')
    head.set_means(batches(features(shift=30.0)))
    x = features(1, shift=30.0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        inside = head((x,))
    assert inside.dtype == torch.float32
    assert inside.equal(head((x,)))


def test_compile_and_export(run_onnx):
    head = build().eval()
    head.set_means(batches(features()))
    x = features(1)
    compiled = torch.compile(head, backend='eager', fullgraph=True)
    assert_close(compiled((x,)), head((x,)))
    (logits,) = run_onnx(head, x, ((x,),))
    assert_close(logits, head((x,)))


def test_edits_refuse_it():
    with pytest.raises(ValueError, match='no classifier found'):
        find_classifiers(build())


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(normalize='cosine'), r"normalize must be one of .*'cosine'"),
        (dict(num_classes=0), 'num_classes must be >= 1'),
        (dict(in_channels='64'), 'in_channels must be a whole number'),
        (dict(means=1), "unexpected keyword argument 'means'"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build(**kwargs)


def test_width_of_features():
    head = build()
    head.set_means(batches(features()))
    with pytest.raises(
        ValueError, match=r'\(8, 4\), but its class means have 5'
    ):
        head((features()[:, :4],))
