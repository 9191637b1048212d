"""OLTR from the first stage's checkpoint to the test."""

import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmlt.models.unwrap import unwrap

LABELS = (0, 0, 1, 2, 1, 0, 2)


@DATASETS.register_module(force=True)
class CentroidDigits(BaseDataset):
    """Seven images of 8 x 8; the pipeline `shift` stands for augmentation."""

    METAINFO = {'classes': ('ant', 'bee', 'cat')}  # noqa: RUF012

    def __init__(self, pipeline=(), labels=LABELS):
        self.shift = len(pipeline)
        self.labels = labels
        super().__init__(pipeline=[])

    def load_data_list(self):
        return [{'gt_label': label} for label in self.labels]

    def prepare_data(self, idx):
        noise = torch.randn(
            (3, 8, 8), generator=torch.Generator().manual_seed(idx)
        )
        sample = DataSample().set_gt_label(self.get_data_info(idx)['gt_label'])
        return {'inputs': noise + idx + self.shift, 'data_samples': sample}


class Stop(Hook):
    def __init__(self, epochs):
        self.epochs = epochs

    def after_train_epoch(self, runner):
        if runner.epoch + 1 == self.epochs:
            runner.train_loop.stop_training = True


def make_runner(work_dir, distributed=False, stop=None, labels=LABELS, **kw):
    def loader(*pipeline, **sampler):
        return dict(
            batch_size=2,
            dataset=dict(
                type='CentroidDigits', pipeline=[*pipeline], labels=labels
            ),
            sampler=dict(type='DefaultSampler', **sampler),
        )

    several = not isinstance(labels[0], int)
    prefix = 'MultiLabel' if several else ''
    metric = 'ShotMultiLabelMAP' if several else 'ShotAccuracy'
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None)
    hooks = [dict(type='mmlt.ClassStatsHook')]
    hooks += [dict(type='mmlt.ClassCentroidsHook')]
    config = dict(
        model=dict(
            type='ImageClassifier',
            backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
            neck=[
                dict(type='mmlt.ModulatedAttention', in_channels=16, size=2),
                dict(type='GlobalAveragePooling'),
            ],
            head=dict(
                type=f'mmlt.{prefix}OLTRHead', num_classes=3, in_channels=16
            ),
            data_preprocessor=dict(mean=[0.0] * 3, std=[1.0] * 3),
        ),
        work_dir=str(work_dir),
        train_dataloader=loader('augment', shuffle=True),
        train_cfg=dict(by_epoch=True, max_epochs=3),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.02, momentum=0.9)),
        val_dataloader=loader(shuffle=False),
        val_cfg=dict(),
        val_evaluator=dict(type=f'mmlt.{metric}'),
        test_dataloader=loader(shuffle=False),
        test_cfg=dict(),
        test_evaluator=dict(type=f'mmlt.{metric}'),
        default_hooks=dict(random_state=dict(type='mmlt.RandomStateHook')),
        custom_hooks=hooks,
        launcher='pytorch' if distributed else 'none',
        default_scope='mmpretrain',
        experiment_name=f'{work_dir}_{distributed}_{stop}_{len(kw)}',
        randomness=dict(seed=3),
        log_level='WARNING',
        model_wrapper_cfg=wrapper if distributed else None,
    )
    runner = Runner.from_cfg({**config, **kw})
    if stop:
        runner.register_hook(Stop(stop))
    return runner


@pytest.fixture(autouse=True)
def _no_environment_report(monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


@pytest.fixture
def first(tmp_path):
    """A first stage with a linear head."""
    torch.manual_seed(0)
    state = {
        name: value
        for name, value in make_runner(tmp_path / 'x')
        .model.state_dict()
        .items()
        if name.startswith('backbone')
    }
    state['head.fc.weight'] = torch.randn(3, 16)
    state['head.fc.bias'] = torch.randn(3)
    state['backbone.bn1.running_mean'].add_(0.5)
    path = tmp_path / 'first.pth'
    torch.save({'state_dict': state}, path)
    return path


def literal_means(first, pipeline=()):
    """Image by image, as in testing."""
    model = make_runner(first.parent / 'literal').model.eval()
    state = torch.load(first, weights_only=True)['state_dict']
    model.load_state_dict(state, strict=False)
    dataset = CentroidDigits(pipeline)
    with torch.no_grad():
        feature = torch.cat(
            [
                model.extract_feat(dataset[k]['inputs'][None])[-1]
                for k in range(len(dataset))
            ]
        )
    labels = torch.tensor(LABELS)
    return torch.stack([feature[labels == k].mean(0) for k in range(3)])


def start(runner):
    """What the first step begins with."""

    class Snapshot(Hook):
        priority = 'LOWEST'

        def before_train(self, runner):
            state = unwrap(runner.model).state_dict()
            self.state = {k: v.clone() for k, v in state.items()}

    snapshot = Snapshot()
    runner.register_hook(snapshot)
    runner.train()
    return snapshot.state


def test_stage_two_starts_from_stage_one(tmp_path, first):
    runner = make_runner(tmp_path / 'oltr', load_from=str(first))
    state = start(runner)
    loaded = torch.load(first, weights_only=True)['state_dict']
    assert_close(state['head.memory.centroids'], literal_means(first))
    for name in ('weight', 'bias'):
        of_head = loaded.pop(f'head.fc.{name}')
        assert state[f'head.memory.hallucinator.{name}'].equal(of_head)
    for name, value in loaded.items():
        assert state[name].equal(value), name
    trained = runner.model.state_dict()
    for name in (
        'memory.centroids',
        'memory.selector.weight',
        'classifier.weight',
    ):
        assert not trained[f'head.{name}'].equal(state[f'head.{name}']), name
    scalars = runner.message_hub.log_scalars
    accuracy = scalars['val/accuracy/balanced'].current()

    path = tmp_path / 'oltr' / 'epoch_3.pth'
    tested = make_runner(tmp_path / 'test', load_from=str(path))
    assert tested.test()['accuracy/balanced'] == accuracy


def test_pipeline_of_the_training_set(tmp_path, first):
    hooks = [
        dict(type='mmlt.ClassStatsHook'),
        dict(type='mmlt.ClassCentroidsHook', train_pipeline=True),
    ]
    runner = make_runner(
        tmp_path / 'oltr', load_from=str(first), custom_hooks=hooks
    )
    expected = literal_means(first, pipeline=['augment'])
    assert_close(start(runner)['head.memory.centroids'], expected)
    assert not torch.allclose(expected, literal_means(first), atol=1e-3)


def test_resumed_run_ends_with_the_same_weights(tmp_path, first):
    whole = make_runner(tmp_path / 'whole', load_from=str(first))
    whole.train()
    part = tmp_path / 'part'
    make_runner(part, load_from=str(first), stop=1).train()
    resumed = make_runner(part, resume=True)
    resumed.train()
    expected = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert value.equal(expected[name]), name


def test_several_labels(tmp_path, first):
    labels = ([0], [1, 2], [], [0, 1, 2], [2])
    runner = make_runner(tmp_path / 'm', labels=labels, load_from=str(first))
    state = start(runner)
    assert state['head.memory.centroids'].isfinite().all()
    assert runner.model.state_dict()['head.classifier.weight'].isfinite().all()


def centroids_of_rank(rank, work_dir, first):
    runner = make_runner(work_dir, distributed=True, load_from=str(first))
    centroids = start(runner)['head.memory.centroids']
    after = unwrap(runner.model).state_dict()
    return centroids.tolist(), after['head.memory.centroids'].tolist()


def test_two_ranks_equal_one(tmp_path, first, on_two_ranks):
    """Seven images do not part evenly; training leaves the ranks alike."""
    one, other = on_two_ranks(centroids_of_rank, tmp_path / 'two', first)
    assert one == other
    assert_close(torch.tensor(one[0]), literal_means(first))
    assert one[0] != one[1]


def test_no_first_stage(tmp_path):
    with pytest.raises(ValueError, match=r'random values: backbone\.') as e:
        make_runner(tmp_path).train()
    assert 'load_from=PATH' in str(e.value)
    with pytest.raises(FileNotFoundError, match='train that one first'):
        make_runner(tmp_path, load_from=str(tmp_path / 'none.pth')).train()


def test_a_first_stage_cannot_be_tested(tmp_path, first):
    metric = dict(type='mmlt.ShotAccuracy', class_stats=[3, 2, 2])
    runner = make_runner(tmp_path, load_from=str(first), test_evaluator=metric)
    with pytest.raises(ValueError, match='has no centroids'):
        runner.test()


def test_without_the_hook(tmp_path, first):
    runner = make_runner(tmp_path, load_from=str(first), custom_hooks=[])
    with pytest.raises(ValueError, match=r'mmlt\.ClassCentroidsHook'):
        runner.train()


def test_another_head(tmp_path, first):
    model = dict(
        type='ImageClassifier',
        backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=16),
    )
    runner = make_runner(tmp_path, model=model, load_from=str(first))
    with pytest.raises(TypeError, match='LinearClsHead has none'):
        runner.train()
