"""What small, medium and large objects have of the loss, logged."""

import json
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hooks import Hook, LoggerHook
from mmengine.logging import MessageHub
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import nn
from torch.testing import assert_close
from torch.utils.data import Dataset

import mmlt
from mmlt.engine.hooks import LossShareHook

CONFIGS = Path(mmlt.__file__).parent / '.mim' / 'configs'
FASTER = 'baselines/faster-rcnn_r18-small_fpn_12e_fashion-scenes.py'


class Scenes(Dataset):
    """Images with one small and one medium object."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        info = dict(img_shape=(64, 64), ori_shape=(64, 64))
        sample = DetDataSample(metainfo=dict(info, scale_factor=(1, 1)))
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[4.0, 4, 24, 30], [10, 10, 60, 50]]),
            labels=torch.tensor([index % 4, 3]),
        )
        noise = torch.Generator().manual_seed(index)
        image = 100 * torch.randn(3, 64, 64, generator=noise)
        return dict(inputs=image, data_samples=sample)


class Observer(Hook):
    """Keep the losses of each iteration, and what is logged."""

    priority = 'LOWEST'

    def __init__(self):
        self.box, self.logged = [], []

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.box.append(outputs['loss_bbox'].item())
        tag = runner.log_processor.get_log_after_iter(
            runner, batch_idx, 'train'
        )[0]
        self.logged.append(
            {key: value for key, value in tag.items() if '_share_' in key}
        )


def train(work_dir, **kwargs):
    cfg = Config.fromfile(CONFIGS / FASTER)
    model = cfg.model
    model.backbone.base_channels = 4
    model.neck.update(in_channels=[4, 8, 16, 32], out_channels=8)
    model.rpn_head.update(in_channels=8, feat_channels=8)
    model.roi_head.bbox_roi_extractor.out_channels = 8
    model.roi_head.bbox_head.update(
        in_channels=8, fc_out_channels=16, num_classes=4
    )
    observer = Observer()
    runner = Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Scenes(),
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        default_scope='mmdet',
        default_hooks=dict(logger=dict(type='LoggerHook', interval=2)),
        custom_hooks=[dict(type='mmlt.LossShareHook'), observer],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        experiment_name=uuid4().hex,
        log_level='WARNING',
        **kwargs,
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        runner.train()
    return observer


def read(work_dir):
    (path,) = Path(work_dir).glob('*/loss_shares.jsonl')
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(autouse=True)
def _no_environment_report(monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


def test_file_has_the_loss_of_each_iteration(tmp_path):
    observer = train(tmp_path, train_cfg=dict(by_epoch=True, max_epochs=2))
    head, *rows = read(tmp_path)
    assert head == dict(bounds=[1024, 9216])
    assert [row['iter'] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row['epoch'] for row in rows] == [1, 1, 1, 2, 2, 2]
    box = torch.tensor([row['box'] for row in rows])
    assert (box[:, 0] > 0).all()
    assert (box[:, 2] == 0).all()
    assert_close(box.sum(dim=1), torch.tensor(observer.box))
    # The mean of the second epoch's first two.
    shares = (box / box.sum(dim=1, keepdim=True))[3:5].mean(dim=0)
    logged = observer.logged[4]
    names = ['small', 'medium', 'large']
    values = [logged[f'box_share_{name}'] for name in names]
    assert_close(torch.tensor(values).float(), shares)
    assert sum(logged[f'cls_share_{name}'] for name in names) == (
        pytest.approx(1)
    )


def test_iterations_without_a_last_log(tmp_path):
    train(tmp_path, train_cfg=dict(by_epoch=False, max_iters=5))
    _, *rows = read(tmp_path)
    assert [row['iter'] for row in rows] == [1, 2, 3, 4, 5]


class Shares:
    def __init__(self, sums):
        self.sums = iter(sums)

    def take(self):
        return dict(box=torch.tensor(next(self.sums)))


def log(hook, sums, folder, interval=3):
    """Call a hook as a run does; its losses are those."""
    runner = SimpleNamespace(
        model=nn.Module(),
        iter=0,
        epoch=0,
        log_dir=folder,
        hooks=[LoggerHook(interval=interval)],
        train_dataloader=[None] * len(sums),
        message_hub=MessageHub(uuid4().hex),
    )
    hook._shares = Shares(sums)
    hook._file = Path(folder) / 'loss_shares.jsonl'
    hook._interval = interval
    for runner.iter in range(len(sums)):
        hook.after_train_iter(runner, runner.iter)
    hook.after_train(runner)
    scalars = runner.message_hub.log_scalars
    return {key: value.data[0].tolist() for key, value in scalars.items()}


def log_on_rank(rank, folder):
    sums = [[1.0, 3.0], [0.0, 0.0], [0.0, 0.0], [2.0, 0.0]]
    if rank:
        sums = [[0.0, 4.0], [0.0, 0.0], [3.0, 1.0], [2.0, 0.0]]
    return log(LossShareHook((100,), ('box',)), sums, folder)


def test_ranks_add_up(tmp_path, on_two_ranks):
    logged, same = on_two_ranks(log_on_rank, tmp_path)
    assert logged == same
    # Of 1 / 8 and 3 / 4; the second iteration has no positive.
    assert logged['train/box_share_small'] == [0.4375, 1]
    assert logged['train/box_share_large'] == [0.5625, 0]
    rows = (tmp_path / 'loss_shares.jsonl').read_text().splitlines()
    assert [json.loads(row)['box'] for row in rows] == [
        [1, 7], [0, 0], [3, 1], [4, 0]
    ]  # fmt: skip


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match='bounds must rise'):
        LossShareHook(bounds=(4, 1))
    with pytest.raises(ValueError, match='losses must hold'):
        LossShareHook(losses=('mask',))
    runner = SimpleNamespace(model=nn.Linear(1, 1))
    with pytest.raises(TypeError, match='cannot be read by size'):
        LossShareHook().before_train(runner)
