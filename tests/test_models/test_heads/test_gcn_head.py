import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models import build_classifier
from mmpretrain.structures import DataSample
from numpy.testing import assert_allclose
from torch.testing import assert_close

from mmlt.models.heads import GCNHead, label_graph

C, D = 4, 6
# Classes 0 and 1 imply each other, 2 implies 0; 3 has no image.
COUNTS = np.array([[10, 5, 2, 0], [5, 8, 0, 0], [2, 0, 4, 0], [0, 0, 0, 0]])


def make(counts=COUNTS, **kwargs):
    head = GCNHead(C, D, hidden_channels=5, **kwargs)
    head.set_co_occurrence(counts, ('ant', 'Bee', 'sea cow', 'dog_fish'))
    return head


def literal_graph(counts, t, p):
    """Entry by entry."""
    size = len(counts)
    m = [[float(i == j) for j in range(size)] for i in range(size)]
    for i in range(size):
        linked = [
            j
            for j in range(size)
            if j != i and counts[i][i] and counts[i][j] / counts[i][i] >= t
        ]
        for j in linked:
            m[i][j] = p / (len(linked) + 1e-6)
    d = [1 / math.sqrt(sum(row)) for row in m]
    return [[d[i] * m[i][j] * d[j] for j in range(size)] for i in range(size)]


@pytest.mark.parametrize('t', [0.2, 0.4, 0.625])
def test_graph_equals_entry_by_entry(t):
    expected = literal_graph(COUNTS.tolist(), t, 0.25)
    assert_allclose(label_graph(COUNTS, t, 0.25), expected, atol=1e-12)


def test_graph_by_hand():
    """Rows sum to 1.25, those without a neighbour to 1."""
    near = 0.25 / 1.25
    far = 0.25 / 1.25**0.5 / 1.25**0.5
    expected = [
        [0.8, near, 0, 0],
        [near, 0.8, 0, 0],
        [far, 0, 0.8, 0],
        [0, 0, 0, 1],
    ]
    assert_allclose(label_graph(COUNTS, 0.5), expected, atol=1e-6)


def literal_logits(head, feature):
    """One image, one class, one node after the other."""
    a, x = head.adjacency.tolist(), head.word_vectors.tolist()
    w1, w2 = head.conv1.weight.tolist(), head.conv2.weight.tolist()

    def convolve(nodes, weight):
        mixed = [
            [
                sum(a[i][j] * nodes[j][d] for j in range(C))
                for d in range(len(nodes[0]))
            ]
            for i in range(C)
        ]
        return [
            [sum(u * v for u, v in zip(row, w, strict=True)) for w in weight]
            for row in mixed
        ]

    hidden = convolve(x, w1)
    hidden = [[h if h > 0 else 0.2 * h for h in row] for row in hidden]
    weight = convolve(hidden, w2)
    return [
        [sum(f * g for f, g in zip(each, row, strict=True)) for row in weight]
        for each in feature.tolist()
    ]


def test_logits_equal_the_literal_computation():
    head = make().double()
    feature = torch.randn(3, D, dtype=torch.float64)
    expected = torch.tensor(literal_logits(head, feature), dtype=torch.float64)
    assert_close(head((feature,)), expected, atol=1e-12, rtol=1e-9)


def test_gradient():
    head = make().double()
    feature = torch.randn(2, D, dtype=torch.float64, requires_grad=True)
    weights = (head.conv1.weight, head.conv2.weight)

    def logits(feature, first, second):
        state = {'conv1.weight': first, 'conv2.weight': second}
        return torch.func.functional_call(head, state, ((feature,),))

    assert torch.autograd.gradcheck(logits, (feature, *weights))
    assert not head.adjacency.requires_grad


def test_loss_of_an_image_without_labels():
    head = make()
    samples = [DataSample().set_gt_score(torch.zeros(C)) for _ in range(2)]
    samples[1].gt_score[1] = 1.0
    feature = torch.randn(2, D)
    loss = head.loss((feature,), samples)['loss']
    target = torch.stack([sample.gt_score for sample in samples])
    expected = F.binary_cross_entropy_with_logits(
        head((feature,)), target, reduction='sum'
    )
    assert_close(loss, expected / 2)
    loss.backward()
    assert head.conv1.weight.grad.isfinite().all()


def test_maps_are_max_pooled():
    head = make()
    maps = torch.randn(2, D, 3, 5)
    assert_close(head((maps,)), head((maps.amax((2, 3)),)))


@pytest.mark.parametrize('in_channels', [16, 512])
def test_on_the_neck_and_without(in_channels):
    """512 channels are those of ResNet-18, pooled by the head."""
    neck = dict(type='mmlt.PFC', in_channels=512, out_channels=16)
    model = build_classifier(
        dict(
            type='ImageClassifier',
            backbone=dict(type='ResNet', depth=18, num_stages=4),
            neck=neck if in_channels == 16 else None,
            head=dict(
                type='mmlt.GCNHead', num_classes=C, in_channels=in_channels
            ),
        )
    ).eval()
    model.head.set_co_occurrence(COUNTS)
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, C)


def test_the_checkpoint_brings_graph_and_words(tmp_path):
    path = tmp_path / 'words.txt'
    path.write_text(
        'the 9 9\nant 1 2\nbee 3 4\nsea 1 0\ncow 0 1\ndog 5 5\nfish 7 7\n'
    )
    config = dict(word_vectors=str(path), word_channels=2)
    head = make(**config)
    expected = [[1, 2], [3, 4], [0.5, 0.5], [6, 6]]
    assert_close(head.word_vectors, torch.tensor(expected).float())
    path.unlink()
    other = GCNHead(C, D, hidden_channels=5, **config)
    other.load_state_dict(head.state_dict())
    feature = torch.randn(3, D)
    assert torch.equal(other((feature,)), head((feature,)))


def test_without_a_graph():
    head = GCNHead(C, D)
    with pytest.raises(ValueError, match=r'no label graph.*ClassStatsHook'):
        head((torch.randn(2, D),))


@pytest.mark.parametrize(
    ('counts', 'match'),
    [
        (np.eye(3), r'shape \(3, 3\).*num_classes of the head is 4'),
        (np.ones((4, 3)), r'shape \(4, 3\)'),
        (np.full((4, 4), np.nan), 'finite counts >= 0, got nan'),
        (np.eye(4) - 2, 'finite counts >= 0, got -1'),
        (10 * np.eye(4) + 3, 'threshold=0.4 leaves a graph without edges'),
        (np.zeros((4, 4)), 'a graph without edges'),
    ],
)
def test_bad_counts(counts, match):
    with pytest.raises(ValueError, match=match):
        make(counts)


@pytest.mark.parametrize(
    ('wrong', 'error', 'match'),
    [
        (dict(num_classes=0), ValueError, 'num_classes must be >= 1'),
        (dict(in_channels=1.5), TypeError, 'in_channels must be a whole'),
        (dict(hidden_channels=0), ValueError, 'hidden_channels must be'),
        (dict(threshold=0), ValueError, 'threshold must be > 0'),
        (dict(threshold=1.2), ValueError, r'threshold must be in \[0, 1\]'),
        (dict(neighbour_weight=0.0), ValueError, 'neighbour_weight must be'),
        (dict(word_vectors=3), TypeError, 'word_vectors must be a path'),
        (dict(word_channels=0), ValueError, 'word_channels must be >= 1'),
    ],
)
def test_bad_argument(wrong, error, match):
    with pytest.raises(error, match=match):
        GCNHead(**{'num_classes': C, 'in_channels': D, **wrong})


def test_bad_features():
    with pytest.raises(ValueError, match=r'\(2, 7\).*in_channels is 6'):
        make()((torch.zeros(2, 7),))


def test_words_of_another_width(tmp_path):
    np.savez(
        tmp_path / 'x.npz',
        names=['ant', 'bee', 'sea cow', 'dog_fish'],
        vectors=np.ones((4, 7)),
    )
    with pytest.raises(ValueError, match='set word_channels=7'):
        make(word_vectors=str(tmp_path / 'x.npz'))


def test_words_need_names(tmp_path):
    head = GCNHead(C, D, word_vectors=str(tmp_path / 'x.txt'))
    with pytest.raises(ValueError, match='needs the names of the classes'):
        head.set_co_occurrence(COUNTS, None)


def test_compiles_without_a_break():
    head = make()
    compiled = torch.compile(head, backend='eager', fullgraph=True)
    feature = torch.randn(3, D)
    assert torch.equal(compiled((feature,)), head((feature,)))


def test_autocast():
    head, feature = make(), torch.randn(3, D)
    with torch.autocast('cpu', torch.bfloat16):
        half = head((feature,))
    assert_close(half.float(), head((feature,)), atol=0.01, rtol=0.05)
