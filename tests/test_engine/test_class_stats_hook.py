import io
import itertools
import logging

import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, MODELS
from mmengine.runner import Runner
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from mmpretrain.structures import DataSample

from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import load_tensors
from mmlt.engine.hooks import class_stats_hook

TRAIN = [6, 3, 1]
OTHER = [5, 2, 3]
GIVEN = [40, 30, 20]
COUNTER = itertools.count()


@DATASETS.register_module(force=True)
class CountedDataset(BaseDataset):
    """``counts[k]`` samples of class k: its one-hot code and noise."""

    METAINFO = {'classes': ('ant', 'bee', 'cat')}  # noqa: RUF012

    def __init__(self, counts, **kwargs):
        self.counts = counts
        super().__init__(serialize_data=False, **kwargs)

    def load_data_list(self):
        return [
            {'gt_label': label}
            for label, count in enumerate(self.counts)
            for _ in range(count)
        ]

    def prepare_data(self, idx):
        label = self.get_data_info(idx)['gt_label']
        noise = torch.rand(3, generator=torch.Generator().manual_seed(idx))
        inputs = noise + torch.eye(3)[label % 3]
        return {
            'inputs': inputs,
            'data_samples': DataSample().set_gt_label(label),
        }


@MODELS.register_module(force=True)
class LinearToy(BaseModel):
    """A linear head of MMPretrain on the inputs as they are."""

    def __init__(self, loss, num_classes=3):
        super().__init__()
        self.head = MMPRETRAIN_MODELS.build(
            dict(
                type='LinearClsHead',
                in_channels=3,
                num_classes=num_classes,
                loss=loss,
            )
        )
        self.modes = []

    def forward(self, inputs, data_samples, mode='tensor'):
        self.modes.append(mode)
        feats = (torch.stack(inputs),)
        if mode == 'loss':
            return self.head.loss(feats, data_samples)
        return self.head.predict(feats, data_samples)


@HOOKS.register_module(force=True)
class StatsKeeper(Hook):
    """A hook that wants the statistics."""

    def __init__(self):
        self.received = []

    def set_class_stats(self, stats):
        self.received.append(stats)


def count(stats):
    return None if stats is None else stats.image_count.tolist()


def loader(counts, classes=None):
    dataset = dict(type='CountedDataset', counts=counts)
    if classes is not None:
        dataset['metainfo'] = dict(classes=classes)
    return dict(
        batch_size=4,
        dataset=dataset,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )


def make_runner(
    work_dir, train=TRAIN, loss=None, hook=None, metric=None, **kwargs
):
    """A runner that trains on ``train`` and evaluates on one of each class.

    Without ``train``, one that only tests.
    """
    evaluator = dict(type='mmlt.ShotAccuracy', thresholds=(3, 5))
    evaluator.update(metric or {})
    config = dict(
        model=dict(
            type='LinearToy', loss=loss or dict(type='mmlt.LogitAdjustedLoss')
        ),
        work_dir=str(work_dir),
        val_dataloader=loader([1, 1, 1]),
        val_cfg={},
        val_evaluator=evaluator,
        test_dataloader=loader([1, 1, 1]),
        test_cfg={},
        test_evaluator=evaluator,
        custom_hooks=[
            dict(type='mmlt.ClassStatsHook', **(hook or {})),
            dict(type='StatsKeeper'),
        ],
        default_scope='mmpretrain',
        experiment_name=f'class_stats_{next(COUNTER)}',
        randomness=dict(seed=0),
        log_level='WARNING',
    )
    if train is not None:
        config.update(
            train_dataloader=loader(train),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        )
    config.update(kwargs)
    runner = Runner(**config)
    runner.log_text = io.StringIO()
    runner.logger.addHandler(logging.StreamHandler(runner.log_text))
    return runner


def loss_of(runner):
    model = getattr(runner.model, 'module', runner.model)
    return model.head.loss_module


def hook_of(runner, kind):
    return next(h for h in runner.hooks if type(h).__name__ == kind)


@pytest.fixture(autouse=True)
def _no_environment_report(monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


@pytest.fixture
def checkpoint(tmp_path):
    """Written after training on ``OTHER``."""
    make_runner(tmp_path / 'other', OTHER).train()
    return str(tmp_path / 'other' / 'epoch_1.pth')


@pytest.fixture
def stock_checkpoint(tmp_path):
    """Of a model without any part of mmlt, trained under the hook."""
    loss = dict(type='CrossEntropyLoss')
    make_runner(tmp_path / 'stock', OTHER, loss).train()
    return str(tmp_path / 'stock' / 'epoch_1.pth')


def test_training_set_reaches_all_parts(tmp_path):
    runner = make_runner(tmp_path)
    runner.train()
    assert count(loss_of(runner).class_stats) == TRAIN
    assert count(runner.val_evaluator.metrics[0].class_stats) == TRAIN
    keeper = hook_of(runner, 'StatsKeeper')
    assert [stats.classes for stats in keeper.received] == [
        ('ant', 'bee', 'cat')
    ]
    runner.test()
    assert count(runner.test_evaluator.metrics[0].class_stats) == TRAIN


def test_checkpoint_holds_them_twice_and_loads_safely(checkpoint):
    content = load_tensors(checkpoint)
    stats = ClassStats.from_dict(content['meta']['class_stats'])
    assert stats == ClassStats.single_label(OTHER, ('ant', 'bee', 'cat'))
    buffers = {
        name.split('.')[-1]: value
        for name, value in content['state_dict'].items()
        if 'loss_module' in name
    }
    assert buffers.keys() == {'image_count', 'instance_count', 'num_images'}
    assert buffers['image_count'].tolist() == OTHER
    assert buffers['num_images'].item() == 10


def test_training_set_wins_over_load_from(tmp_path, checkpoint):
    runner = make_runner(tmp_path, load_from=checkpoint)
    runner.train()
    assert count(loss_of(runner).class_stats) == TRAIN
    assert count(runner.val_evaluator.metrics[0].class_stats) == TRAIN
    saved = load_tensors(tmp_path / 'epoch_1.pth')
    assert saved['meta']['class_stats']['image_count'] == TRAIN
    assert 'differ' not in runner.log_text.getvalue()


@pytest.mark.parametrize('counts', [[4, 4, 4, 4], [9, 0, 1]])
def test_other_classes_in_load_from_do_not_stop_training(
    tmp_path, checkpoint, counts
):
    content = load_tensors(checkpoint)
    for name in ('image_count', 'instance_count'):
        key = f'head.loss_module.{name}'
        content['state_dict'][key] = torch.tensor(counts)
    torch.save(content, checkpoint)
    runner = make_runner(tmp_path, load_from=checkpoint)
    runner.train()
    assert count(loss_of(runner).class_stats) == TRAIN


@pytest.mark.parametrize('resume', [True, False])
def test_config_wins_over_all(tmp_path, checkpoint, resume):
    runner = make_runner(
        tmp_path,
        loss=dict(type='mmlt.LogitAdjustedLoss', class_stats=GIVEN),
        metric=dict(class_stats=GIVEN),
        load_from=checkpoint,
        resume=resume,
        train_cfg=dict(by_epoch=True, max_epochs=2),
    )
    runner.train()
    assert count(loss_of(runner).class_stats) == GIVEN
    assert count(runner.val_evaluator.metrics[0].class_stats) == GIVEN
    expected = torch.tensor(GIVEN) / sum(GIVEN) * 3
    torch.testing.assert_close(loss_of(runner).offset, expected.log())


def test_config_of_the_hook_needs_no_counting(
    tmp_path, checkpoint, monkeypatch
):
    monkeypatch.setattr(class_stats_hook, 'collect_class_stats', None)
    path = tmp_path / 'stats.json'
    ClassStats.single_label(GIVEN).to_json(path)
    for given in (GIVEN, str(path)):
        hook = dict(class_stats=given)
        runner = make_runner(tmp_path, hook=hook, load_from=checkpoint)
        runner.train()
        assert count(loss_of(runner).class_stats) == GIVEN
        runner = make_runner(tmp_path, None, hook=hook, load_from=checkpoint)
        runner.test()
        assert count(loss_of(runner).class_stats) == GIVEN
        assert count(runner.test_evaluator.metrics[0].class_stats) == GIVEN


def resume(work_dir, checkpoint, train, **kwargs):
    runner = make_runner(
        work_dir,
        train,
        load_from=checkpoint,
        resume=True,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        **kwargs,
    )
    runner.train()
    assert runner.epoch == 2
    return runner


def test_resume_with_changed_data_warns(tmp_path, checkpoint):
    runner = resume(tmp_path, checkpoint, TRAIN)
    assert count(loss_of(runner).class_stats) == TRAIN
    log = runner.log_text.getvalue()
    assert log.count('class statistics differ') == 1
    assert 'image_count of 3 classes, first of class ant: 6 against 5' in log


def test_resume_with_the_same_data_does_not_warn(tmp_path, checkpoint):
    runner = resume(tmp_path, checkpoint, OTHER)
    assert count(loss_of(runner).class_stats) == OTHER
    assert 'differ' not in runner.log_text.getvalue()


@pytest.mark.parametrize('task', ['test', 'val'])
@pytest.mark.parametrize('source', ['checkpoint', 'stock_checkpoint'])
def test_checkpoint_serves_where_there_is_no_training_set(
    tmp_path, request, source, task
):
    path = request.getfixturevalue(source)
    loss = dict(type='CrossEntropyLoss') if 'stock' in source else None
    runner = make_runner(tmp_path, None, loss, load_from=path)
    result = getattr(runner, task)()
    # Classes with 5, 2 and 3 training images.
    assert {'accuracy/many', 'accuracy/medium', 'accuracy/few'} <= set(result)
    evaluator = getattr(runner, f'{task}_evaluator')
    assert count(evaluator.metrics[0].class_stats) == OTHER
    if source == 'checkpoint':
        assert count(loss_of(runner).class_stats) == OTHER


def test_buffers_serve_the_metric_too(tmp_path, checkpoint):
    """Such as those of a run whose loss had the counts in its config."""
    content = load_tensors(checkpoint)
    del content['meta']['class_stats']
    torch.save(content, checkpoint)
    runner = make_runner(tmp_path, None, load_from=checkpoint)
    runner.test()
    assert count(runner.test_evaluator.metrics[0].class_stats) == OTHER


def test_buffers_serve_without_the_hook(tmp_path, checkpoint):
    runner = make_runner(
        tmp_path,
        None,
        load_from=checkpoint,
        custom_hooks=[],
        test_evaluator=dict(type='Accuracy'),
    )
    runner.test()
    assert count(loss_of(runner).class_stats) == OTHER


def test_no_statistics_anywhere_stops_before_the_first_batch(
    tmp_path, stock_checkpoint
):
    content = load_tensors(stock_checkpoint)
    del content['meta']['class_stats']
    torch.save(content, stock_checkpoint)
    runner = make_runner(
        tmp_path,
        None,
        dict(type='CrossEntropyLoss'),
        load_from=stock_checkpoint,
    )
    with pytest.raises(ValueError, match='ShotAccuracy has no') as caught:
        runner.test()
    assert runner.model.modes == []
    for way in ('a list of counts or a JSON', 'ClassStatsHook', 'checkpoint'):
        assert way in str(caught.value)


@pytest.mark.parametrize('update_buffers', [True, False])
def test_moving_average(tmp_path, update_buffers):
    ema = dict(
        type='EMAHook',
        ema_type='ExponentialMovingAverage',
        momentum=0.1,
        update_buffers=update_buffers,
    )

    def hooks():
        return [dict(type='mmlt.ClassStatsHook'), dict(ema)]

    runner = make_runner(tmp_path, OTHER, custom_hooks=hooks())
    runner.train()
    averaged = hook_of(runner, 'EMAHook').ema_model.module
    for loss in (loss_of(runner), averaged.head.loss_module):
        assert count(loss.class_stats) == OTHER
    path = str(tmp_path / 'epoch_1.pth')
    saved = load_tensors(path)['state_dict']
    # The checkpoint's weights are the averaged ones.
    weight = saved['head.fc.weight']
    torch.testing.assert_close(weight, averaged.head.fc.weight.data)
    assert saved['head.loss_module.image_count'].tolist() == OTHER
    assert not torch.equal(
        saved['head.fc.weight'], runner.model.head.fc.weight
    )

    runner = make_runner(tmp_path, None, custom_hooks=hooks(), load_from=path)
    assert 'accuracy/many' in runner.test()
    assert count(loss_of(runner).class_stats) == OTHER

    runner = resume(tmp_path, path, TRAIN, custom_hooks=hooks())
    averaged = hook_of(runner, 'EMAHook').ema_model.module
    for loss in (loss_of(runner), averaged.head.loss_module):
        assert count(loss.class_stats) == TRAIN
    assert 'differ' in runner.log_text.getvalue()


@pytest.mark.parametrize(
    ('given', 'num_classes', 'holds'), [(None, 4, 3), ([9, 9], 3, 2)]
)
def test_head_of_another_size_stops_before_training(
    tmp_path, given, num_classes, holds
):
    loss = dict(type='mmlt.LogitAdjustedLoss', class_stats=given)
    model = dict(type='LinearToy', loss=loss, num_classes=num_classes)
    runner = make_runner(tmp_path, model=model)
    message = (
        f'head has num_classes={num_classes}, but the class statistics of '
        f'its LogitAdjustedLoss hold {holds} classes'
    )
    with pytest.raises(ValueError, match=message):
        runner.train()
    assert runner.model.modes == []


def test_test_set_of_another_size_stops_before_training(tmp_path):
    val = loader([1, 1])
    val['dataset']['metainfo'] = dict(classes=('ant', 'bee'))
    runner = make_runner(tmp_path, val_dataloader=val)
    with pytest.raises(ValueError, match=r'the test set has 2 .* hold 3'):
        runner.train()
    assert runner.model.modes == []


def test_class_without_images_stops_before_training(tmp_path):
    runner = make_runner(tmp_path, [6, 3, 0])
    with pytest.raises(ValueError, match=r"1 classes have .*zero_count='one'"):
        runner.train()
    assert runner.model.modes == []


def test_validation_during_training_hands_out_nothing_again(tmp_path):
    runner = make_runner(
        tmp_path,
        metric=dict(thresholds=(1, 100)),
        train_cfg=dict(by_epoch=True, max_epochs=3),
    )
    runner.train()
    assert runner.model.modes.count('predict') == 3
    assert len(hook_of(runner, 'StatsKeeper').received) == 1
    # Two groups are empty: said once each, not at each validation.
    assert runner.log_text.getvalue().count('no class of the') == 2


NAMES = ('ant', 'bee', 'cat')
# GIVEN, in another order.
SHUFFLED = dict(image_count=[30, 20, 40], classes=('bee', 'cat', 'ant'))
OTHER_NAMES = dict(image_count=GIVEN, classes=('ant', 'kat', 'cat'))
ORDERED = ClassStats.single_label(GIVEN, NAMES)


def test_given_in_another_order_are_put_in_that_of_the_data(tmp_path):
    """Of a loss, a metric, and in the moving average."""
    ema = dict(type='EMAHook', update_buffers=True)
    given = dict(class_stats=SHUFFLED)
    runner = make_runner(
        tmp_path,
        loss=dict(type='mmlt.LogitAdjustedLoss', **given),
        metric=given,
        custom_hooks=[dict(type='mmlt.ClassStatsHook'), ema],
    )
    runner.train()
    averaged = hook_of(runner, 'EMAHook').ema_model.module.head.loss_module
    for loss in (loss_of(runner), averaged):
        assert count(loss.class_stats) == GIVEN
        expected = torch.tensor(GIVEN) / sum(GIVEN) * 3
        torch.testing.assert_close(loss.offset, expected.log())
    metric = runner.val_evaluator.metrics[0]
    assert metric.class_stats == ORDERED
    assert metric.groups.tolist() == ORDERED.groups((3, 5)).tolist()
    words = 'LogitAdjustedLoss: the class statistics have their classes in an'
    assert words in runner.log_text.getvalue()
    saved = load_tensors(tmp_path / 'epoch_1.pth')['state_dict']
    assert saved['head.loss_module.image_count'].tolist() == GIVEN


def test_given_to_the_hook_in_another_order(tmp_path, checkpoint):
    hook = dict(class_stats=SHUFFLED)
    runner = make_runner(tmp_path, hook=hook)
    runner.train()
    assert hook_of(runner, 'ClassStatsHook').class_stats == ORDERED
    assert count(loss_of(runner).class_stats) == GIVEN
    runner = make_runner(tmp_path, None, hook=hook, load_from=checkpoint)
    runner.test()
    assert runner.test_evaluator.metrics[0].class_stats == ORDERED


@pytest.mark.parametrize('part', ['loss', 'metric', 'hook'])
def test_given_with_other_names_stops_before_training(tmp_path, part):
    given = dict(class_stats=OTHER_NAMES)
    if part == 'loss':
        given['type'] = 'mmlt.LogitAdjustedLoss'
    runner = make_runner(tmp_path, **{part: given})
    words = (
        r'class_stats of \w+: .*other class names than the training set: '
        "class 1 is 'kat' against 'bee'"
    )
    with pytest.raises(ValueError, match=words):
        runner.train()
    assert runner.model.modes == []


def test_given_to_a_metric_that_only_tests(tmp_path, checkpoint):
    metric = dict(class_stats=SHUFFLED)
    runner = make_runner(tmp_path, None, metric=metric, load_from=checkpoint)
    runner.test()
    assert runner.test_evaluator.metrics[0].class_stats == ORDERED


@pytest.mark.parametrize(
    ('classes', 'first'),
    [
        (('bee', 'ant', 'cat'), "class 0 is 'ant' against 'bee'"),
        (('ant', 'bee', 'kat'), "class 2 is 'cat' against 'kat'"),
    ],
)
@pytest.mark.parametrize('evaluator', ['mmlt.ShotAccuracy', 'Accuracy'])
def test_validation_set_with_other_names_stops_before_training(
    tmp_path, classes, first, evaluator
):
    """Such as of other folders: its labels would be shifted."""
    runner = make_runner(
        tmp_path,
        val_dataloader=loader([1, 1, 1], classes),
        val_evaluator=dict(type=evaluator),
    )
    words = rf'val_dataloader: .*names than the training set: {first}.*folders'
    with pytest.raises(ValueError, match=words):
        runner.train()
    assert runner.model.modes == []


def test_validation_set_of_another_size_without_our_metrics(tmp_path):
    runner = make_runner(
        tmp_path,
        val_dataloader=loader([1, 1], ('ant', 'bee')),
        val_evaluator=dict(type='Accuracy'),
    )
    with pytest.raises(ValueError, match=r'val_dataloader.* 2 .* hold 3'):
        runner.train()


def test_resumed_run_of_other_classes_stops(tmp_path, checkpoint):
    kwargs = dict(
        load_from=checkpoint,
        train_dataloader=loader(TRAIN, ('ant', 'bee', 'kat')),
        val_dataloader=loader([1, 1, 1], ('ant', 'bee', 'kat')),
    )
    runner = make_runner(tmp_path, resume=True, **kwargs)
    words = "than the loaded checkpoint: class 2 is 'cat' against 'kat'"
    with pytest.raises(ValueError, match=words):
        runner.train()
    assert runner.model.modes == []
    # Fine-tuning on other data is what load_from is for.
    make_runner(tmp_path, **kwargs).train()


@pytest.mark.parametrize('task', ['test', 'val'])
@pytest.mark.parametrize(
    'classes', [('cat', 'ant', 'bee'), ('fox', 'gnu', 'hen')]
)
def test_checkpoint_of_other_classes_is_not_tested(
    tmp_path, checkpoint, task, classes
):
    kwargs = {f'{task}_dataloader': loader([1, 1, 1], classes)}
    runner = make_runner(tmp_path, None, load_from=checkpoint, **kwargs)
    words = (
        f'{task}_dataloader: .* names than the loaded checkpoint: class 0 is '
        f"'ant' against '{classes[0]}'"
    )
    with pytest.raises(ValueError, match=words):
        getattr(runner, task)()
    assert runner.model.modes == []


def test_other_test_set_than_in_training(tmp_path):
    test = loader([1, 1, 1], ('bee', 'ant', 'cat'))
    runner = make_runner(tmp_path, test_dataloader=test)
    runner.train()
    with pytest.raises(ValueError, match=r'test_dataloader: .*training set'):
        runner.test()


def test_statistics_in_another_order_than_the_classes_of_their_checkpoint(
    tmp_path, checkpoint
):
    """Of a run whose hook was given them, and that did not compare."""
    content = load_tensors(checkpoint)
    content['meta']['class_stats'] = dict(
        image_count=[2, 3, 5], classes=['bee', 'cat', 'ant']
    )
    torch.save(content, checkpoint)
    runner = make_runner(tmp_path, None, load_from=checkpoint)
    runner.test()
    assert count(runner.test_evaluator.metrics[0].class_stats) == OTHER


def test_two_hooks_are_refused(tmp_path):
    hook = dict(type='mmlt.ClassStatsHook')
    runner = make_runner(tmp_path, default_hooks=dict(class_stats=hook))
    with pytest.raises(ValueError, match=r'2 ClassStatsHooks; .*default_hook'):
        runner.train()
    assert runner.model.modes == []


@pytest.mark.parametrize('content', ['abc', {}, {'image_count': [5, -1, 3]}])
@pytest.mark.parametrize('train', [TRAIN, None])
def test_damaged_statistics_of_a_checkpoint(
    tmp_path, checkpoint, content, train
):
    loaded = load_tensors(checkpoint)
    loaded['meta']['class_stats'] = content
    torch.save(loaded, checkpoint)
    runner = make_runner(tmp_path, train, load_from=checkpoint)
    words = r"epoch_1\.pth: checkpoint: meta\['class_stats'\] does not hold"
    with pytest.raises(ValueError, match=words):
        (runner.test if train is None else runner.train)()
    assert runner.model.modes == []


@pytest.mark.parametrize(
    ('loss', 'hook', 'words'),
    [
        # The right number of classes is that of the head and the data.
        ([9, 9], None, 'its config gives; give its class_stats one count for'),
        (None, [9, 9], 'training set has 3 .*hold 2; give class_stats one c'),
    ],
)
def test_two_counts_for_three_classes(tmp_path, loss, hook, words):
    runner = make_runner(
        tmp_path,
        loss=dict(type='mmlt.LogitAdjustedLoss', class_stats=loss),
        hook=dict(class_stats=hook),
    )
    with pytest.raises(ValueError, match=words) as caught:
        runner.train()
    assert 'num_classes=2' not in str(caught.value)
    assert runner.model.modes == []


def test_bad_statistics_at_build_time():
    with pytest.raises(ValueError, match=r'image_count\[1\] is -1'):
        HOOKS.build(dict(type='mmlt.ClassStatsHook', class_stats=[1, -1]))


def train_on(rank, work_dir, train, fail):
    calls = []
    original = class_stats_hook.collect_class_stats

    def spy(dataset):
        calls.append(len(dataset))
        if fail:
            raise OSError('disk is gone')
        return original(dataset)

    class_stats_hook.collect_class_stats = spy
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None)
    cfg = dict(model_wrapper_cfg=wrapper)
    runner = make_runner(work_dir, train, launcher='pytorch', cfg=cfg)
    runner.train()
    metric = runner.val_evaluator.metrics[0]
    return {
        'calls': calls,
        'loss': count(loss_of(runner).class_stats),
        'metric': count(metric.class_stats),
        'hook': hook_of(runner, 'ClassStatsHook').class_stats,
        'weight': runner.model.module.head.fc.weight.tolist(),
    }


def test_two_ranks_see_what_rank_0_counted(
    tmp_path, on_two_ranks, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    first, second = on_two_ranks(train_on, tmp_path, [6, 4, 1], False)
    assert first.pop('calls') == [11]
    assert second.pop('calls') == []
    assert first == second
    assert first['loss'] == first['metric'] == [6, 4, 1]


def test_error_on_rank_0_reaches_all_ranks(
    tmp_path, on_two_ranks, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    arguments = (train_on, tmp_path, TRAIN, True)
    first, second = on_two_ranks(*arguments, fails=True)
    assert first == 'OSError: disk is gone'
    assert second == (
        'RuntimeError: rank 0 could not count the classes: '
        'OSError: disk is gone'
    )
