"""BBN from config to checkpoint: data, samplers, model and schedule."""

from uuid import uuid4

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch.testing import assert_close

import mmlt  # noqa: F401

EPOCHS = 3


@DATASETS.register_module(force=True)
class GreySquares(BaseDataset):
    """Images of 8 x 8 whose brightness is the class; 12 and 3 and 1 images."""

    METAINFO = dict(classes=('dark', 'grey', 'light'))  # noqa: RUF012

    def load_data_list(self):
        labels = np.repeat([0, 1, 2], [12, 3, 1])
        return [{'gt_label': int(label)} for label in labels]

    def prepare_data(self, index):
        from mmpretrain.structures import DataSample

        info = self.get_data_info(index)
        image = torch.full((1, 8, 8), 80.0 * info['gt_label'] + index)
        sample = DataSample().set_gt_label(info['gt_label'])
        sample.set_field(index, 'index', field_type='metainfo')
        return {'inputs': image, 'data_samples': sample}


class Recorder(Hook):
    """Alpha and the indices of every step."""

    def __init__(self):
        self.steps = []

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        indices = [sample.index for sample in data_batch['data_samples']]
        alpha = runner.model.alpha.item()
        self.steps.append((runner.epoch, alpha, indices))


ALPHA = {'alpha': {'type': 'mmlt.AlphaScheduleHook'}}


def train(work_dir, stop_after=EPOCHS, resume=False, alpha=ALPHA):
    recorder = Recorder()

    class Stopper(Hook):
        priority = 'LOWEST'

        def after_train_epoch(self, runner):
            if runner.epoch + 1 == stop_after:
                raise KeyboardInterrupt

    runner = Runner(
        model={
            'type': 'mmlt.BBNClassifier',
            'data_preprocessor': {'mean': [80.0], 'std': [80.0]},
            'backbone': {
                'type': 'mmlt.BilateralBackbone',
                'backbone': {
                    'type': 'mmlt.CIFARResNet',
                    'depth': 20,
                    'in_channels': 1,
                    'base_channels': 4,
                },
            },
            'neck': {'type': 'GlobalAveragePooling'},
            'head': {
                'type': 'mmlt.BBNHead',
                'num_classes': 3,
                'in_channels': 16,
            },
        },
        work_dir=str(work_dir),
        train_dataloader={
            'batch_size': 4,
            'num_workers': 0,
            'dataset': {'type': 'GreySquares'},
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            'batch_sampler': {'type': 'mmlt.BilateralBatchSampler'},
        },
        train_cfg={'by_epoch': True, 'max_epochs': EPOCHS},
        optim_wrapper={
            'optimizer': {'type': 'SGD', 'lr': 0.05, 'momentum': 0.9}
        },
        param_scheduler={
            'type': 'CosineAnnealingLR',
            'convert_to_iter_based': True,
        },
        default_hooks={
            **alpha,
            'class_stats': {'type': 'mmlt.ClassStatsHook'},
            'logger': None,
        },
        custom_hooks=[recorder, Stopper()],
        default_scope='mmpretrain',
        randomness={'seed': 3},
        resume=resume,
        experiment_name=uuid4().hex,
        log_level='WARNING',
    )
    if stop_after < EPOCHS:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    else:
        Stopper.after_train_epoch = Hook.after_train_epoch
        runner.train()
    return runner.model.state_dict(), recorder.steps


def test_without_its_schedule_training_stops_at_once(tmp_path):
    """Alpha would stay at 0.5; ``schedule='equal'`` is that on purpose."""
    with pytest.raises(ValueError, match=r"no schedule .*'equal' if 0\.5 is"):
        train(tmp_path, alpha={})
    assert not list(tmp_path.glob('*.pth'))
    equal = {'type': 'mmlt.AlphaScheduleHook', 'schedule': 'equal'}
    _, steps = train(tmp_path, alpha={'alpha': equal})
    assert {alpha for _, alpha, _ in steps} == {0.5}


@pytest.mark.parametrize('stop_after', range(1, EPOCHS))
def test_resumed_run_equals_uninterrupted_one(tmp_path, stop_after):
    weights, steps = train(tmp_path / 'whole')
    _, first = train(tmp_path / 'parts', stop_after)
    resumed, rest = train(tmp_path / 'parts', resume=True)
    assert first + rest == steps
    assert_close(resumed, weights, rtol=0, atol=0)
    alphas = [alpha for _, alpha, _ in steps[::4]]
    assert alphas == pytest.approx([1, 1 - 1 / 9, 1 - 4 / 9])


def test_second_half_is_reversed(tmp_path):
    _, steps = train(tmp_path / 'run')
    indices = np.array([index for _, _, index in steps])
    uniform, reversed_ = indices[:, :4].ravel(), indices[:, 4:].ravel()
    assert sorted(uniform) == sorted([*range(16)] * EPOCHS)
    # The single image of class 2 has P = 12 / (12 + 4 + 1) of each draw.
    share = np.mean(reversed_ == 15)
    assert abs(share - 12 / 17) < 0.2
