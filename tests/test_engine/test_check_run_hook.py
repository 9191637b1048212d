"""What is wrong with a run is said before its first step."""

import itertools
import logging

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from mmengine.runner import Runner
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from mmpretrain.structures import DataSample

from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import ClassStatsReceiver
from mmlt.engine.hooks import CheckRunHook
from mmlt.models.losses import EFLLoss

# In the groups of (3, 5): many, medium, few.
TRAIN = [6, 3, 1]
NUMBER = itertools.count()
CHECK = dict(type='mmlt.CheckRunHook')
STATS = dict(type='mmlt.ClassStatsHook')
ADJUST = dict(type='mmlt.LogitAdjustment', tau=0.5)


@DATASETS.register_module(force=True)
class CheckedDataset(BaseDataset):
    """``counts[k]`` samples of class k; ``kind`` of annotations."""

    METAINFO = {'classes': ('ant', 'bee', 'cat')}  # noqa: RUF012

    def __init__(self, counts, kind='one', **kwargs):
        self.labels = np.repeat(np.arange(len(counts)), counts).tolist()
        self.kind = kind
        super().__init__(serialize_data=False, **kwargs)

    def load_data_list(self):
        make = {
            'one': lambda label: {'gt_label': label},
            'many': lambda label: {'gt_label': [label, (label + 1) % 3]},
            'boxes': lambda label: {'instances': [{'bbox_label': label}]},
        }[self.kind]
        return [make(label) for label in self.labels]

    def prepare_data(self, idx):
        label = self.labels[idx]
        sample = DataSample(metainfo=dict(sample_idx=idx))
        return {
            'inputs': torch.eye(3)[label],
            'data_samples': sample.set_gt_label(label),
        }


@MODELS.register_module(force=True)
class CheckedModel(BaseModel):
    """A linear head of MMPretrain on the inputs as they are."""

    def __init__(self, loss='CrossEntropyLoss', num_classes=3, **kwargs):
        super().__init__()
        self.head = MMPRETRAIN_MODELS.build(
            dict(
                type='LinearClsHead',
                in_channels=3,
                num_classes=num_classes,
                loss=dict(type=loss, **kwargs),
            )
        )
        self.modes = []

    def forward(self, inputs, data_samples, mode='tensor'):
        self.modes.append(mode)
        feats = (torch.stack(inputs),)
        if mode == 'loss':
            return self.head.loss(feats, data_samples)
        return self.head.predict(feats, data_samples)


@METRICS.register_module(force=True)
class NeedsStats(ClassStatsReceiver, BaseMetric):
    """A metric of a user, who calls `check_class_stats` when it is used."""

    def process(self, data_batch, data_samples):
        self.check_class_stats()

    def compute_metrics(self, results):
        return {}


def loader(counts, kind='one', **sampler):
    return dict(
        batch_size=4,
        dataset=dict(type='CheckedDataset', counts=counts, kind=kind),
        sampler=sampler or dict(type='DefaultSampler', shuffle=False),
    )


def make_runner(work_dir, hooks=(CHECK,), model=None, save_best=None, **cfg):
    shots = dict(type='mmlt.ShotAccuracy', thresholds=(3, 5))
    config = dict(
        model=dict(type='CheckedModel', **(model or {})),
        work_dir=str(work_dir),
        train_dataloader=loader(TRAIN),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        val_dataloader=loader([1, 1, 1]),
        val_cfg={},
        val_evaluator=shots,
        test_dataloader=loader([1, 1, 1]),
        test_cfg={},
        test_evaluator=shots,
        custom_hooks=list(hooks),
        default_hooks=dict(
            checkpoint=dict(
                type='CheckpointHook',
                interval=1,
                save_best=save_best,
                rule='greater' if save_best else None,
            )
        ),
        default_scope='mmpretrain',
        experiment_name=f'check_run_{next(NUMBER)}',
        randomness=dict(seed=0),
        log_level='WARNING',
    )
    runner = Runner(**config | cfg)
    runner.said = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: (
        record.module == 'check_run_hook'
        and runner.said.append(record.getMessage())
    )
    runner.logger.addHandler(handler)
    return runner


def warnings_of(runner):
    """What CheckRunHook says in training."""
    runner.train()
    return runner.said


@pytest.fixture(autouse=True)
def _no_environment_report(monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


def stops(runner, match):
    """Training stops before the first step."""
    with pytest.raises(ValueError, match=match):
        runner.train()
    assert runner.model.modes == []


@pytest.mark.parametrize('metric', ['mmlt.ShotAccuracy', 'NeedsStats'])
def test_metric_without_statistics(tmp_path, metric):
    runner = make_runner(tmp_path, val_evaluator=dict(type=metric))
    stops(runner, rf'{metric[-10:]} has no class statistics')


def test_the_hook_of_statistics_adds_it_once(tmp_path):
    for hooks in ([STATS], [STATS, CHECK]):
        runner = make_runner(tmp_path, hooks)
        assert warnings_of(runner) == []
        runner.test()
        added = [h for h in runner.hooks if isinstance(h, CheckRunHook)]
        assert len(added) == 1


@pytest.mark.parametrize('hook', [STATS, CHECK])
@pytest.mark.parametrize('num_classes', [2, 4])
def test_stock_head_of_another_size(tmp_path, hook, num_classes):
    """An IndexError at the first rare label, or a class that never is."""
    model = dict(num_classes=num_classes)
    runner = make_runner(tmp_path, [hook], model)
    match = f'LinearClsHead has num_classes={num_classes}, but .* has 3 class'
    stops(runner, match)


def test_a_loss_that_a_head_cannot_take(tmp_path):
    runner = make_runner(tmp_path)
    head = torch.nn.Module()
    head.loss_cls = EFLLoss(3, use_sigmoid=True)
    runner.model.bbox_head = head
    stops(runner, 'bbox_head: Module cannot take loss_cls=EFLLoss: use_sig')


@pytest.mark.parametrize(
    ('kind', 'metric', 'match'),
    [
        ('boxes', 'ShotAccuracy', 'CheckedDataset has boxes; use LVISMetric'),
        ('boxes', 'ShotMultiLabelMAP', 'has boxes; use LVISMetric'),
        ('many', 'ShotAccuracy', r'one class for each sample, got \[0, 1\]'),
        ('one', 'ShotMultiLabelMAP', 'single-label data, use ShotAccuracy'),
    ],
)
def test_validation_set_of_another_kind(tmp_path, kind, metric, match):
    runner = make_runner(
        tmp_path,
        val_dataloader=loader([1, 1, 1], kind),
        val_evaluator=dict(type=f'mmlt.{metric}', class_stats=TRAIN),
    )
    stops(runner, match)


@pytest.mark.parametrize(
    ('train', 'val', 'group'),
    [
        (TRAIN, [0, 1, 1], 'many'),
        (TRAIN, [1, 0, 1], 'medium'),
        ([6, 6, 6], [1, 1, 1], 'few'),
    ],
)
@pytest.mark.parametrize('several', [True, False])
def test_best_checkpoint_by_an_empty_group(
    tmp_path, train, val, group, several
):
    best = f'accuracy/{group}'
    runner = make_runner(
        tmp_path,
        [STATS],
        save_best=['accuracy/top1', best] if several else best,
        train_dataloader=loader(train),
        val_dataloader=loader(val),
    )
    stops(runner, rf"save_best='{best}' .* group '{group}' .*\(3, 5\)")


@pytest.mark.parametrize('best', ['accuracy/many', 'accuracy/top1', 'auto'])
def test_best_checkpoint_by_what_there_is(tmp_path, best):
    runner = make_runner(
        tmp_path, [STATS], save_best=best, val_dataloader=loader([1, 1, 0])
    )
    runner.train()
    assert list(tmp_path.glob('best_accuracy_*.pth'))


def deferred(epoch):
    return loader(TRAIN, type='mmlt.DeferredSampler', epoch=epoch)


@pytest.mark.parametrize(('epoch', 'told'), [(1, 0), (2, 1), (160, 1)])
@pytest.mark.parametrize('by_epoch', [True, False])
def test_deferred_sampler_beyond_the_end(tmp_path, epoch, told, by_epoch):
    cfg = dict(by_epoch=True, max_epochs=2)
    if not by_epoch:
        # Three iterations are one pass: the second one is begun.
        cfg = dict(by_epoch=False, max_iters=4, val_interval=4)
    runner = make_runner(
        tmp_path, [STATS], train_dataloader=deferred(epoch), train_cfg=cfg
    )
    text = '\n'.join(warnings_of(runner))
    assert text.count(f'epoch={epoch}, counted from 0, is beyond') == told


def test_progressive_sampler_of_another_length(tmp_path):
    for epochs, told in ((2, 0), (3, 1)):
        sampler = dict(type='mmlt.ProgressiveSampler', max_epochs=epochs)
        runner = make_runner(
            tmp_path, [STATS], train_dataloader=loader(TRAIN, **sampler)
        )
        text = '\n'.join(warnings_of(runner))
        assert text.count('max_epochs=3, but the training has 2') == told


DEFERRED = dict(
    DeferredSampler=dict(train_dataloader=deferred(1)),
    DeferredReweightHook=dict(
        hooks=[STATS, dict(type='mmlt.DeferredReweightHook', begin=1)],
        model=dict(
            loss='mmlt.ClassWeightedCELoss', class_weight='effective_number'
        ),
    ),
)


@pytest.mark.parametrize('part', DEFERRED)
@pytest.mark.parametrize(('epochs', 'told'), [(2, 0), (3, 1)])
def test_resumed_with_another_length(tmp_path, part, epochs, told):
    """They do not go by the share of the training that is done."""

    class Stop(Hook):
        def after_train_epoch(self, runner):
            runner.train_loop.stop_training = True

    cfg = dict(hooks=[STATS]) | DEFERRED[part]
    first = make_runner(tmp_path, **cfg)
    first.register_hook(Stop())
    assert warnings_of(first) == []
    cfg['train_cfg'] = dict(by_epoch=True, max_epochs=epochs)
    said = warnings_of(make_runner(tmp_path, resume=True, **cfg))
    assert len(said) == told
    if told:
        assert f'meant for 2 epochs, and now is for 3: {part}' in said[0]


def test_nothing_to_resume_is_told(tmp_path):
    """As by MMPretrain's tool, which drops load_from."""
    (said,) = warnings_of(make_runner(tmp_path, [STATS], resume=True))
    assert 'Nothing was resumed' in said
    assert 'fresh weights' in said


@pytest.mark.parametrize('by_epoch', [True, False])
def test_nothing_left_to_train_is_told(tmp_path, by_epoch):
    """As where MMEngine resumes from the load_from of a second stage."""
    cfg = dict(by_epoch=True, max_epochs=2)
    if not by_epoch:
        cfg = dict(by_epoch=False, max_iters=2, val_interval=2)
    first = make_runner(tmp_path / 'first', [STATS], train_cfg=cfg)
    first.train()
    path = tmp_path / 'first' / 'last.pth'
    # MMEngine counts one more of its unit, as within the training.
    first.save_checkpoint(str(path.parent), path.name, by_epoch=not by_epoch)
    second = make_runner(
        tmp_path / 'second',
        [STATS],
        train_cfg=cfg,
        resume=True,
        load_from=str(path),
    )
    (said,) = warnings_of(second)
    unit = 'epoch' if by_epoch else 'iter'
    assert f'{str(path)!r} has {unit} 2 of 2: nothing is left to' in said
    assert 'load_from with resume=False' in said
    assert 'loss' not in second.model.modes


def dump_of(tmp_path, *hooks, task='test', checkpoint=None, **model):
    """What DumpLogits writes of a run that only tests."""
    path = tmp_path / 'logits.pt'
    dump = dict(type='mmlt.DumpLogits', out_file=str(path), split='train')
    runner = make_runner(
        tmp_path,
        [STATS, *hooks],
        model,
        load_from=checkpoint,
        **{f'{task}_evaluator': dump},
    )
    getattr(runner, task)()
    return torch.load(path, weights_only=True)


@pytest.fixture
def checkpoint(tmp_path):
    make_runner(tmp_path / 'trained', [STATS]).train()
    return str(tmp_path / 'trained' / 'epoch_2.pth')


@pytest.mark.parametrize('task', ['test', 'val'])
def test_dumped_logits_say_what_was_applied(tmp_path, checkpoint, task):
    kwargs = dict(task=task, checkpoint=checkpoint)
    plain = dump_of(tmp_path, **kwargs)
    assert plain['applied'] == []
    assert plain['classes'] == ['ant', 'bee', 'cat']
    hook = dict(type='mmlt.ClassifierEditHook', edits=[ADJUST])
    edited = dump_of(tmp_path, hook, **kwargs)
    (applied,) = edited['applied']
    assert applied['type'] == 'mmlt.LogitAdjustment'
    assert applied['tau'] == 0.5
    assert not torch.equal(edited['logits'], plain['logits'])


def test_training_goes_on_from_edited_weights(tmp_path, checkpoint):
    """What it ends with is not edited."""
    content = torch.load(checkpoint, weights_only=False)
    content['meta']['classifier_edits'] = [ADJUST]
    torch.save(content, checkpoint)
    path = tmp_path / 'logits.pt'
    dump = dict(type='mmlt.DumpLogits', out_file=str(path), split='val')
    make_runner(
        tmp_path, [STATS], load_from=checkpoint, val_evaluator=dump
    ).train()
    assert torch.load(path, weights_only=True)['applied'] == []


def test_dumped_logits_say_how_the_model_was_trained(tmp_path, checkpoint):
    content = torch.load(checkpoint, weights_only=False)
    content['meta']['classifier_edits'] = [dict(ADJUST, layers=['head.fc'])]
    torch.save(content, checkpoint)
    dump = dump_of(tmp_path, checkpoint=checkpoint)
    assert dump['applied'] == [dict(ADJUST, layers=['head.fc'])]
    stats = ClassStats.single_label(TRAIN).to_dict()
    content['meta'] = dict(class_stats=stats)
    torch.save(content, checkpoint)
    dump = dump_of(
        tmp_path, checkpoint=checkpoint, loss='mmlt.LogitAdjustedLoss'
    )
    assert dump['applied'] == [dict(type='mmlt.LogitAdjustedLoss')]
