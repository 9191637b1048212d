"""Mixing of activations from config to checkpoint, on two ranks, resumed."""

from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch.testing import assert_close

import mmlt
from mmlt.models.unwrap import unwrap

CONFIGS = Path(mmlt.__file__).parent / '.mim' / 'configs' / 'mixup'
EPOCHS = 3
BATCHES = dict(type='mmlt.BilateralBatchSampler')
TWO = dict(two_samplers=True)


class RarePatches(BaseDataset):
    """Patches of 8 x 8 of three classes: 12, 3 and 1 of them."""

    METAINFO = dict(classes=('ant', 'bee', 'cat'))  # noqa: RUF012

    def load_data_list(self):
        labels = np.repeat([0, 1, 2], [12, 3, 1]).tolist()
        return [{'gt_label': label} for label in labels]

    def prepare_data(self, idx):
        label = self.get_data_info(idx)['gt_label']
        image = torch.full((3, 8, 8), float(label)) + torch.randn(3, 8, 8)
        return dict(
            inputs=image, data_samples=DataSample().set_gt_label(label)
        )


class StopAfter(Hook):
    """End the training with this epoch."""

    def __init__(self, epochs):
        self.epochs = epochs

    def after_train_epoch(self, runner):
        if runner.epoch + 1 == self.epochs:
            runner.train_loop.stop_training = True


def train(work_dir, model=None, batches=None, stop=EPOCHS, **kwargs):
    """The weights after ``stop`` epochs."""
    distributed = torch.distributed.is_initialized()
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None)
    runner = Runner(
        model=dict(
            type='mmlt.ManifoldMixupClassifier',
            backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=3, in_channels=16),
            data_preprocessor=dict(mean=[0.0] * 3, std=[1.0] * 3),
            **(model or {}),
        ),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=RarePatches(),
            batch_size=4,
            num_workers=1,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='pseudo_collate'),
            **({} if batches is None else dict(batch_sampler=batches)),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=EPOCHS),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
        default_hooks=dict(
            class_stats=dict(type='mmlt.ClassStatsHook'),
            random_state=dict(type='mmlt.RandomStateHook'),
            logger=None,
        ),
        default_scope='mmpretrain',
        cfg=dict(model_wrapper_cfg=wrapper if distributed else None),
        launcher='pytorch' if distributed else 'none',
        randomness=dict(seed=3),
        experiment_name=uuid4().hex,
        log_level='WARNING',
        **{'custom_hooks': [StopAfter(stop)], **kwargs},
    )
    runner.train()
    weights = unwrap(runner.model).state_dict()
    return {name: value.clone() for name, value in weights.items()}


def whole_and_resumed(folder, model, batches):
    """The weights of an uninterrupted run, and of one in two parts."""
    weights = train(folder / 'whole', model, batches)
    train(folder / 'parts', model, batches, stop=1)
    return weights, train(folder / 'parts', model, batches, resume=True)


@pytest.fixture(autouse=True)
def _no_environment_report(monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


@pytest.mark.parametrize(
    ('model', 'batches'), [({}, None), (dict(remix={}), None), (TWO, BATCHES)]
)
def test_resumed_run_equals_uninterrupted_one(tmp_path, model, batches):
    weights, resumed = whole_and_resumed(tmp_path, model, batches)
    assert_close(resumed, weights, rtol=0, atol=0)


def on_a_rank(rank, *args):
    return [
        {name: value.numpy() for name, value in weights.items()}
        for weights in whole_and_resumed(*args)
    ]


@pytest.mark.parametrize(('model', 'batches'), [({}, None), (TWO, BATCHES)])
def test_two_ranks(tmp_path, on_two_ranks, model, batches):
    ranks = on_two_ranks(on_a_rank, tmp_path, model, batches)
    for weights, resumed in ranks:
        assert_close(resumed, weights, rtol=0, atol=0)
    (first, _), (second, _) = ranks
    trained = [name for name in first if 'running' not in name]
    for name in trained:
        assert_close(first[name], second[name], rtol=0, atol=0)


class NoStep(Hook):
    def before_train_iter(self, *args, **kwargs):
        raise AssertionError('There was a step.')


@pytest.mark.parametrize(
    ('model', 'batches', 'message'),
    [
        (TWO, None, 'two_samplers=True.*come from one sampler'),
        ({}, BATCHES, 'set two_samplers=True of the model'),
        (
            dict(remix={}, class_stats=[12, 3, 2, 1]),
            None,
            'class_stats hold 4 classes.*num_classes=3',
        ),
    ],
)
def test_errors_before_the_first_step(tmp_path, model, batches, message):
    with pytest.raises(ValueError, match=message):
        train(tmp_path, model, batches, custom_hooks=[NoStep()])


@pytest.mark.parametrize('name', ['mixup', 'remix'])
def test_settings_of_configs(name):
    """One lambda a batch of Beta(1, 1), on the images only."""
    cfg = Config.fromfile(
        CONFIGS / f'{name}_resnet32_200e_cifar10-lt-if100.py'
    )
    if name == 'mixup':
        assert cfg.model.train_cfg.augments.alpha == 1.0
        assert not cfg.model.head.get('cal_acc')
    else:
        assert cfg.model.alpha == 1.0
        assert cfg.model.places == ['input']
        assert cfg.model.remix == dict(kappa=3.0, tau=0.5)
