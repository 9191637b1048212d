"""A resumed run draws the random numbers of an uninterrupted one."""

import random
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpretrain.structures import DataSample
from numpy.testing import assert_array_equal
from torch.testing import assert_close
from torch.utils.data import Dataset

import mmlt
from mmlt.class_stats.storage import load_tensors
from mmlt.models.unwrap import unwrap

CONFIGS = Path(mmlt.__file__).parent / '.mim' / 'configs'
SIZE = 64
RANDOM_STATE = dict(type='mmlt.RandomStateHook')


def noise(*shape):
    """Of all three libraries."""
    return torch.randn(shape) * random.random() + np.random.rand()  # noqa: NPY002


class Patches(Dataset):
    """Twelve patches of 8 x 8 of three classes, augmented."""

    metainfo = {'classes': ('ant', 'bee', 'cat')}  # noqa: RUF012

    def __len__(self):
        return 12

    def __getitem__(self, index):
        label = index % 3
        sample = DataSample().set_gt_label(label)
        return dict(inputs=label + noise(3, 8, 8), data_samples=sample)


class Scenes(Dataset):
    """Images with two objects each, augmented."""

    def __init__(self, number=4):
        self.number = number

    def __len__(self):
        return self.number

    def __getitem__(self, index):
        shape = (SIZE, SIZE)
        info = dict(img_shape=shape, ori_shape=shape, scale_factor=(1, 1))
        sample = DetDataSample(metainfo=info)
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[4.0, 4, 30, 40], [20, 10, 60, 50]]),
            labels=torch.tensor([index % 4, 3]),
        )
        return dict(inputs=100 * noise(3, *shape), data_samples=sample)


class Observer(Hook):
    """Keep what the data set gave; draw in validation; stop in time."""

    def __init__(self, stop):
        self.stop = stop
        self.inputs = []

    def before_train_iter(self, runner, batch_idx, data_batch):
        for _ in range(1 + runner.rank):  # Streams of their own.
            noise(1)

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.inputs.append(torch.stack(list(data_batch['inputs'])))
        if runner.iter + 1 == self.stop:
            runner.train_loop.stop_training = True

    def after_val_epoch(self, runner, metrics):
        noise(3)


def train(work_dir, config, stop=None, resume=False, hook=RANDOM_STATE):
    """Inputs of each iteration up to ``stop``, and the weights then."""
    observer = Observer(stop)
    distributed = torch.distributed.is_initialized()
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None)
    by_epoch = config.setdefault('train_cfg', dict(by_epoch=True))['by_epoch']
    runner = Runner(
        **{
            **config,
            'work_dir': str(work_dir),
            'train_cfg': {
                **config['train_cfg'],
                **(dict(max_epochs=3) if by_epoch else dict(max_iters=6)),
            },
            'default_hooks': {
                **config.get('default_hooks', {}),
                'random_state': hook,
                'checkpoint': dict(
                    type='CheckpointHook',
                    interval=1 if by_epoch else 2,
                    by_epoch=by_epoch,
                ),
            },
            'custom_hooks': [observer],
            'optim_wrapper': dict(
                optimizer=dict(type='SGD', lr=0.01, momentum=0.9)
            ),
            'load_from': None if resume else config.get('load_from'),
        },
        resume=resume,
        cfg=dict(model_wrapper_cfg=wrapper if distributed else None),
        launcher='pytorch' if distributed else 'none',
        randomness=dict(seed=3),
        experiment_name=uuid4().hex,
        log_level='WARNING',
    )
    runner.train()
    # Workers take long to end if the garbage collector does it.
    runner.train_loop.dataloader_iterator = None
    runner.train_dataloader._iterator = None
    if runner.val_loop is not None:
        runner.val_dataloader._iterator = None
    weights = unwrap(runner.model).state_dict()
    return observer.inputs, {k: v.clone() for k, v in weights.items()}


def assert_resumes(folder, config, stop):
    """The same, interrupted and resumed, but for the random numbers alone."""
    inputs, weights = train(folder / 'whole', config)
    first, _ = train(folder / 'parts', config, stop=stop)
    rest, resumed = train(folder / 'parts', config, resume=True)
    assert len(first) == stop < len(inputs)
    assert_close(first + rest, inputs, rtol=0, atol=0)
    assert_close(resumed, weights, rtol=0, atol=0)


def loader(dataset, workers, persistent=False, infinite=False, **kwargs):
    sampler = 'InfiniteSampler' if infinite else 'DefaultSampler'
    return dict(
        dataset=dataset,
        num_workers=workers,
        persistent_workers=persistent,
        sampler=dict(type=sampler, shuffle=True),
        collate_fn=dict(type='pseudo_collate'),
        **kwargs,
    )


def classification(workers, persistent, neck, by_epoch=True):
    """A small classifier, validated after each epoch."""
    train_cfg = dict(by_epoch=by_epoch, val_interval=1 if by_epoch else 2)
    return dict(
        model=dict(
            type='ImageClassifier',
            backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
            neck=neck,
            head=dict(type='LinearClsHead', num_classes=3, in_channels=16),
            data_preprocessor=dict(mean=[0.0] * 3, std=[1.0] * 3),
        ),
        train_dataloader=loader(
            Patches(), workers, persistent, not by_epoch, batch_size=4
        ),
        val_dataloader=loader(Patches(), workers, persistent, batch_size=4),
        val_evaluator=dict(type='Accuracy'),
        val_cfg=dict(),
        train_cfg=train_cfg,
        default_scope='mmpretrain',
    )


PFC = dict(type='mmlt.PFC', in_channels=16, out_channels=16)
WORKERS = [(0, False), (2, False), (2, True)]


@pytest.fixture(autouse=True)
def _no_environment_report(monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


@pytest.mark.parametrize(('workers', 'persistent'), WORKERS)
def test_cross_entropy_with_augmentation(tmp_path, workers, persistent):
    neck = dict(type='GlobalAveragePooling')
    config = classification(workers, persistent, neck)
    assert_resumes(tmp_path, config, stop=3)


@pytest.mark.parametrize(('workers', 'persistent'), WORKERS)
def test_dropout_with_augmentation(tmp_path, workers, persistent):
    config = classification(workers, persistent, PFC)
    assert_resumes(tmp_path, config, stop=6)


@pytest.mark.parametrize(('workers', 'persistent'), WORKERS)
def test_iteration_based_loop(tmp_path, workers, persistent):
    config = classification(workers, persistent, PFC, by_epoch=False)
    assert_resumes(tmp_path, config, stop=4)


@pytest.mark.parametrize(
    'head',
    [
        dict(loss=dict(type='mmlt.ClassWeightedCELoss')),
        dict(
            type='mmlt.CosineClsHead',
            loss=dict(type='mmlt.LDAMLoss', class_weight='inverse'),
        ),
    ],
)
@pytest.mark.parametrize('by_epoch', [True, False])
def test_deferred_reweighting(tmp_path, head, by_epoch):
    neck = dict(type='GlobalAveragePooling')
    config = classification(0, False, neck, by_epoch)
    config['model']['head'].update(head, loss=dict(head['loss'], beta=0.9))
    config['model']['head']['loss']['class_stats'] = [9, 3, 1]
    # In the phase that has class weights.
    begin, stop = (1, 6) if by_epoch else (3, 4)
    config['default_hooks'] = dict(
        reweight=dict(type='mmlt.DeferredReweightHook', begin=begin)
    )
    assert_resumes(tmp_path, config, stop)


def resume_on_rank(rank, folder):
    config = classification(2, True, PFC)
    inputs, weights = train(folder / 'whole', config)
    first, _ = train(folder / 'parts', config, stop=2)
    rest, resumed = train(folder / 'parts', config, resume=True)
    return [
        [value.numpy() for value in values]
        for values in (
            inputs, first + rest, weights.values(), resumed.values()
        )
    ]  # fmt: skip


def test_two_ranks(tmp_path, on_two_ranks):
    ranks = on_two_ranks(resume_on_rank, tmp_path)
    for inputs, same_inputs, weights, same_weights in ranks:
        for value, same in zip(inputs, same_inputs, strict=True):
            assert_array_equal(value, same)
        for value, same in zip(weights, same_weights, strict=True):
            assert_array_equal(value, same)
    path = tmp_path / 'parts' / 'epoch_1.pth'
    first, second = load_tensors(path)['random_state']
    assert not first['torch'].equal(second['torch'])
    assert first['numpy'] != second['numpy']
    assert first['python'] != second['python']

    train(tmp_path / 'parts', classification(0, False, PFC), resume=True)
    logs = (tmp_path / 'parts').glob('*/*.log')
    newest = max(logs, key=lambda path: path.stat().st_mtime).read_text()
    assert 'of 2 ranks, and there are 1 now' in newest


def test_without_the_hook_nothing_is_kept(tmp_path):
    config = classification(0, False, PFC)
    train(tmp_path, config, hook=dict(type='IterTimerHook'))
    checkpoint = load_tensors(tmp_path / 'epoch_1.pth')
    assert 'random_state' not in checkpoint


def detection(path, **kwargs):
    """A narrow detector, of which the sampler picks some proposals."""
    cfg = Config.fromfile(CONFIGS / path)
    model = cfg.model
    model.backbone.base_channels = 4
    model.neck.update(in_channels=[4, 8, 16, 32], out_channels=8)
    model.rpn_head.update(in_channels=8, feat_channels=8)
    roi_head = model.roi_head
    roi_head.bbox_roi_extractor.out_channels = 8
    roi_head.bbox_head.update(in_channels=8, fc_out_channels=16, num_classes=4)
    model.train_cfg.rpn.sampler.num = 8
    model.train_cfg.rcnn.sampler.num = 8
    hooks = {
        name: cfg.default_hooks[name]
        for name in ('trainable_parts', 'class_stats', 'stitcher')
        if name in cfg.default_hooks
    }
    counts = [5, 50, 500, 5000]
    hooks['class_stats'].class_stats = dict(
        image_count=counts, instance_count=counts, num_images=5000
    )
    return dict(
        model=model,
        train_dataloader=loader(Scenes(), 2, batch_size=2),
        default_hooks=hooks,
        default_scope='mmdet',
        **kwargs,
    )


def test_faster_rcnn(tmp_path):
    path = 'baselines/faster-rcnn_r18-small_fpn_12e_fashion-scenes.py'
    assert_resumes(tmp_path, detection(path), stop=2)


def test_second_stage_of_bags(tmp_path):
    path = 'bags/bags_faster-rcnn_r18-small_fpn_4e_fashion-scenes.py'
    first = tmp_path / 'first.pth'
    config = detection(path, load_from=str(first))
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config['model'])
        model.init_weights()
    torch.save({'state_dict': model.state_dict()}, first)
    assert_resumes(tmp_path, config, stop=4)


@pytest.mark.parametrize('by_epoch', [True, False])
def test_stitcher(tmp_path, by_epoch):
    path = 'stitcher_faster-rcnn_r18-small_fpn_12e_fashion-scenes-small.py'
    train_cfg = dict(by_epoch=by_epoch)
    config = detection(f'stitcher/{path}', train_cfg=train_cfg)
    config['train_dataloader'] = loader(
        Scenes(8), 2, infinite=not by_epoch, batch_size=2
    )
    # Of two objects, one is small; of stitched ones, both are.
    config['default_hooks']['stitcher'].threshold = 0.6
    assert_resumes(tmp_path, config, stop=4)
    last = 'epoch_3.pth' if by_epoch else 'iter_6.pth'
    state = torch.load(tmp_path / 'parts' / last, weights_only=False)
    assert 1 < state['stitcher']['drawn'] < (12 if by_epoch else 6)
