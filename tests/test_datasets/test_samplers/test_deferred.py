import numpy as np
import pytest
from mmengine.dataset import DefaultSampler

from mmlt.datasets.samplers import (
    ClassFrequencySampler,
    DeferredSampler,
    ReversedSampler,
)
from mmlt.registry import DATA_SAMPLERS

LABELS = np.repeat([0, 1, 2], [70, 25, 8])


def indices(sampler, epoch):
    sampler.set_epoch(epoch)
    return list(sampler)


def test_defaults_are_deferred_resampling(label_dataset):
    dataset = label_dataset(LABELS)
    sampler = DeferredSampler(dataset, epoch=2, seed=4)
    uniform = DefaultSampler(dataset, shuffle=True, seed=4)
    balanced = ClassFrequencySampler(dataset, 0, seed=4)
    for epoch in (0, 1):
        assert indices(sampler, epoch) == indices(uniform, epoch)
    for epoch in (2, 3):
        assert indices(sampler, epoch) == indices(balanced, epoch)
    # ... and back, as a schedule that is a function of the epoch can
    assert indices(sampler, 1) == indices(uniform, 1)
    assert sampler.dataset is dataset


def test_from_config(label_dataset):
    dataset = label_dataset(LABELS)
    sampler = DATA_SAMPLERS.build(
        dict(
            type='mmlt.DeferredSampler',
            epoch=0,
            before=dict(type='mmlt.ClassFrequencySampler', power=1),
            after=dict(type='mmlt.ReversedSampler', seed=9),
        ),
        default_args=dict(dataset=dataset, seed=4),
    )
    assert list(sampler) == list(ReversedSampler(dataset, seed=9))


@pytest.mark.parametrize(
    ('kwargs', 'error', 'match'),
    [
        (dict(epoch=-1), ValueError, 'epoch must be >= 0, got -1'),
        (dict(epoch=1.5), TypeError, 'epoch must be an integer, got 1.5'),
        (
            dict(epoch=1, before=dict(type='InfiniteSampler')),
            ValueError,
            'before: InfiniteSampler has no epochs',
        ),
        (
            dict(epoch=1, after='mmlt.ReversedSampler'),
            TypeError,
            'after must be the config of a sampler',
        ),
        (
            dict(epoch=1, after=dict(type='mmlt.ReversedSampler', pow=-1)),
            TypeError,
            'pow',
        ),
        (
            dict(
                epoch=1, after=dict(type='mmlt.ReversedSampler', num_samples=9)
            ),
            ValueError,
            'before yields 103 images an epoch and after 9',
        ),
    ],
)
def test_bad_arguments(label_dataset, kwargs, error, match):
    with pytest.raises(error, match=match):
        DeferredSampler(label_dataset(LABELS), seed=0, **kwargs)
