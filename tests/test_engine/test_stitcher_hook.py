"""Which steps are stitched, and what they train on."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.logging import MessageHub
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import nn

from mmlt.engine.hooks import StitcherHook

RNG = np.random.default_rng(0)


class Shares:
    """Gives the losses that a test wants, as the measurement of a step."""

    def __init__(self, losses):
        self.losses = iter(losses)

    def take(self):
        small, whole = next(self.losses)
        return dict(box=torch.tensor([small, whole - small]))


def make_batch(number, sides=(8,)):
    samples = []
    for _ in range(number):
        sample = DetDataSample(metainfo=dict(img_shape=(64, 64)))
        boxes = torch.tensor([[0.0, 0, side, side] for side in sides])
        sample.gt_instances = InstanceData(bboxes=boxes)
        samples.append(sample)
    images = [torch.zeros(3, 64, 64) for _ in samples]
    return dict(inputs=images, data_samples=samples)


def make_hook(num=8, rank=0, **kwargs):
    """A hook in a run, whose losses and second stream the test gives."""
    hook = StitcherHook(**kwargs)
    preprocessor = MODELS.build(dict(type='mmdet.DetDataPreprocessor'))
    model = nn.Module()
    model.data_preprocessor = preprocessor
    sampler = SimpleNamespace(num=num)
    model.roi_head = SimpleNamespace(bbox_sampler=sampler)
    runner = SimpleNamespace(
        model=model,
        iter=0,
        seed=7,
        rank=rank,
        message_hub=MessageHub('stitcher'),
    )
    hook._seed = runner.seed
    hook._roi_samplers = [(sampler, num)]
    hook._batches = iter(lambda: make_batch(4), None)
    return hook, runner, sampler


def decide(hook, runner, number, batches=lambda _: make_batch(1)):
    """Whether the first steps are stitched."""
    decisions = []
    for runner.iter in range(number):
        batch = batches(runner.iter)
        before = batch['inputs']
        hook.before_train_iter(runner, runner.iter, batch)
        decisions.append(batch['inputs'] is not before)
        hook.after_train_iter(runner, runner.iter, batch, {})
    return decisions


def synthetic_losses(number=200):
    whole = RNG.uniform(0, 3, number).astype(np.float32)
    small = whole * RNG.uniform(0, 0.2, number).astype(np.float32)
    whole[::17] = small[::17] = 0
    return [*zip(small.tolist(), whole.tolist(), strict=True)]


def rule(losses, threshold=0.1):
    """Stitch if r < 0.1; r = 0 before the first step; 0 / 0 is regular."""
    decisions = [True]
    for small, whole in losses[:-1]:
        decisions.append(bool(whole) and small / whole < threshold)
    return decisions


def test_decisions_over_200_ratios():
    losses = synthetic_losses()
    hook, runner, _ = make_hook()
    hook._shares = Shares(losses)
    decisions = decide(hook, runner, 200)
    assert decisions == rule(losses)
    assert 60 < sum(decisions) < 140
    logged, _ = runner.message_hub.get_scalar('train/stitched').data
    assert logged.tolist()[-200:] == decisions


def decide_on_rank(rank, losses):
    hook, runner, _ = make_hook(rank=rank)
    # Each rank sees losses of its own, which add up to those of one.
    share = (0.3, 0.7)[rank]
    hook._shares = Shares([(s if rank else 0.0, w * share) for s, w in losses])
    return decide(hook, runner, len(losses))


def test_two_ranks_decide_as_one(on_two_ranks):
    losses = synthetic_losses(50)
    first, second = on_two_ranks(decide_on_rank, losses)
    assert first == second == rule(losses)


@pytest.mark.parametrize('stop', [1, 30])
def test_resumed_decides_as_uninterrupted(stop):
    losses = synthetic_losses(60)
    hook, runner, _ = make_hook()
    hook._shares = Shares(losses)
    first = decide(hook, runner, stop)
    checkpoint = {}
    hook.before_save_checkpoint(runner, checkpoint)
    assert checkpoint['stitcher']['drawn'] == sum(first)

    resumed, runner, _ = make_hook()
    resumed.after_load_checkpoint(runner, checkpoint)
    resumed._restore(stop)
    assert resumed._drawn == sum(first)
    resumed._shares = Shares(losses[stop:])
    rest = decide(resumed, runner, 60 - stop)
    assert first + rest == rule(losses)


def test_a_checkpoint_that_is_only_loaded_changes_nothing():
    hook, runner, _ = make_hook()
    hook.after_load_checkpoint(
        runner, dict(stitcher=dict(sums=[1.0, 1.0], drawn=9))
    )
    hook._restore(0)
    assert hook._drawn == 0
    hook._shares = Shares([(1.0, 1.0)])
    assert decide(hook, runner, 1) == [True]


def test_fixed_alternatives():
    for selection, expected in (('always', 20), ('never', 0), (1, 20), (0, 0)):
        hook, runner, _ = make_hook(selection=selection)
        assert sum(decide(hook, runner, 20)) == expected
    hook, runner, _ = make_hook(selection=0.3)
    decisions = decide(hook, runner, 300)
    assert 60 < sum(decisions) < 120
    # By the number of the step only: the same on all ranks, and resumed.
    again, runner, _ = make_hook(selection=0.3, rank=1)
    assert decide(again, runner, 300) == decisions


def test_feedback_from_the_input():
    """One box of twelve is small; none; all; and there is none."""
    sides = [[8] + [32] * 11, [32, 90], [31], []]
    hook, runner, _ = make_hook(feedback='input')
    hook._sums = torch.tensor([1.0, 1.0])
    batches = [make_batch(1, each) for each in [*sides, [8]]]
    batches[3]['data_samples'][0].gt_instances.bboxes = torch.zeros(0, 4)
    counted = []
    for batch in batches:
        hook.after_train_iter(runner, 0, batch, {})
        counted.append(hook._sums.tolist())
    assert counted == [[1, 12], [0, 2], [1, 1], [0, 0], [1, 1]]
    hook._sums = torch.tensor([1.0, 1.0])
    # The second, which is stitched, has only small ones.
    expected = [False, True, False, False, False]
    assert decide(hook, runner, 5, lambda i: dict(batches[i])) == expected


def test_batch_form_takes_fewer_rois_of_more_images():
    hook, runner, sampler = make_hook(num=10, form='batch', selection='always')
    batch = make_batch(1)
    hook.before_train_iter(runner, 0, batch)
    assert sampler.num == 2
    assert [image.shape for image in batch['inputs']] == [(3, 32, 32)] * 4
    hook.probability = 0
    hook.before_train_iter(runner, 1, make_batch(1))
    assert sampler.num == 10


def test_image_form_keeps_the_number_of_rois():
    hook, runner, sampler = make_hook(selection='always')
    batch = make_batch(1)
    hook.before_train_iter(runner, 0, batch)
    assert sampler.num == 8
    (image,), (sample,) = batch['inputs'], batch['data_samples']
    assert image.shape == (3, 64, 64)
    assert len(sample.gt_instances) == 4


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(k=5), "k must be a square number with form='image', got 5"),
        (dict(k=1, form='batch'), 'k must be >= 2'),
        (dict(form='tile'), 'form must be one of'),
        (dict(selection='often'), 'selection must be one of .* probability'),
        (dict(selection=1.5), r'selection must be in \[0, 1\]'),
        (dict(feedback='mask'), 'feedback must be one of'),
        (dict(threshold=2), r'threshold must be in \[0, 1\]'),
        (dict(small=0), 'small must be finite and > 0'),
    ],
)
def test_bad_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        StitcherHook(**kwargs)


def test_models_that_do_not_fit():
    hook, runner, _ = make_hook(num=4, form='batch', k=8)
    with pytest.raises(ValueError, match='k=8 leaves none of the 4 RoIs'):
        hook.before_train(runner)
    hook, runner, _ = make_hook()
    runner.model.head = nn.Linear(1, 1)
    with pytest.raises(TypeError, match=r'losses of .* cannot be read'):
        hook.before_train(runner)
