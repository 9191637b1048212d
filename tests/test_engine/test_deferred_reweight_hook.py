import pytest
import torch
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmlt.engine.hooks import DeferredReweightHook
from mmlt.models.losses import (
    ClassBalancedFocalLoss,
    ClassWeightedCELoss,
    LDAMLoss,
    LogitAdjustedLoss,
    ReweightedBCELoss,
    SeesawLoss,
)

COUNTS = dict(image_count=[9, 3, 1], num_images=11)


class Images(Dataset):
    """Three images of random features."""

    metainfo: dict = {}  # noqa: RUF012

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return dict(inputs=torch.ones(4))


class Model(nn.Module):
    """Notes which of its losses weigh, at each step."""

    def __init__(self, *losses):
        super().__init__()
        self.losses = nn.ModuleList(losses)
        self.fc = nn.Linear(4, 1)
        self.seen = []

    def train_step(self, data, optim_wrapper):
        self.seen.append([bool(each.reweights) for each in self.losses])
        optim_wrapper.update_params(self.fc(data['inputs'][0]).sum())
        return {}


def train(folder, model, begin, by_epoch=True, length=3):
    unit = 'max_epochs' if by_epoch else 'max_iters'
    sampler = 'DefaultSampler' if by_epoch else 'InfiniteSampler'
    runner = Runner(
        model,
        str(folder),
        train_dataloader=dict(
            dataset=Images(), batch_size=2, sampler=dict(type=sampler)
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        train_cfg={'by_epoch': by_epoch, unit: length},
        custom_hooks=[dict(type='mmlt.DeferredReweightHook', begin=begin)],
        experiment_name=f'{folder.name}-{begin}-{by_epoch}-{length}',
        log_level='ERROR',
    )
    runner.train()
    return runner


@pytest.mark.parametrize(
    ('by_epoch', 'begin', 'length', 'expected'),
    [
        (True, 0, 2, [1, 1, 1, 1]),
        (True, 1, 2, [0, 0, 1, 1]),
        (False, 3, 5, [0, 0, 0, 1, 1]),
    ],
)
def test_weighs_from_begin_on(tmp_path, by_epoch, begin, length, expected):
    model = Model(
        LDAMLoss(class_weight='inverse', class_stats=COUNTS),
        ReweightedBCELoss(class_stats=COUNTS),
        ClassBalancedFocalLoss(class_stats=COUNTS),
        LogitAdjustedLoss(class_stats=COUNTS),
    )
    train(tmp_path, model, begin, by_epoch, length)
    assert [seen[:3] for seen in model.seen] == [
        [bool(e)] * 3 for e in expected
    ]
    assert all(seen[3] for seen in model.seen)


@pytest.mark.parametrize('loss', [ReweightedBCELoss, ClassBalancedFocalLoss])
def test_multi_label_losses_are_plain_before(loss):
    scores, target = torch.randn(5, 3), torch.randint(0, 2, (5, 3))
    deferred, balanced = loss(class_stats=COUNTS), loss(class_stats=[2] * 3)
    weighted = deferred(scores, target)
    deferred.reweights.fill_(False)
    plain = deferred(scores, target)
    # Equal counts have equal weights, 1 each.
    torch.testing.assert_close(plain, balanced(scores, target))
    assert not torch.isclose(weighted, plain)


@pytest.mark.parametrize(
    'losses',
    [
        [],
        [LogitAdjustedLoss(class_stats=COUNTS)],
        [SeesawLoss(class_stats=COUNTS)],
        [ClassWeightedCELoss(None)],
    ],
)
def test_a_model_without_class_weights_is_refused(tmp_path, losses):
    model = Model(*losses)
    with pytest.raises(TypeError, match='no loss of the model has class wei'):
        train(tmp_path, model, begin=1)
    assert not model.seen


def test_beyond_the_end_is_a_warning(tmp_path, caplog):
    model = Model(ClassWeightedCELoss(class_stats=COUNTS))
    runner = train(tmp_path, model, begin=3)
    assert not any(seen[0] for seen in model.seen)
    messages = []
    runner.logger.warning = messages.append
    DeferredReweightHook(3).before_train(runner)
    assert 'begin=3 is beyond the last epoch, 2' in messages[0]


@pytest.mark.parametrize(
    ('begin', 'error'),
    [(-1, ValueError), (1.5, TypeError), (True, TypeError), ('1', TypeError)],
)
def test_wrong_begin_is_refused(begin, error):
    with pytest.raises(error, match='begin'):
        DeferredReweightHook(begin)
