"""Nearest class mean, from the first stage's checkpoint to the test."""

import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmlt.models.unwrap import unwrap

NUM = 7


@DATASETS.register_module(force=True)
class Digits(BaseDataset):
    """Seven images of 8 x 8 of three classes."""

    METAINFO = {'classes': ('ant', 'bee', 'cat')}  # noqa: RUF012
    labels = (0, 0, 1, 2, 1, 0, 2)

    def load_data_list(self):
        return [{'gt_label': label} for label in self.labels]

    def prepare_data(self, idx):
        noise = torch.randn(
            (3, 8, 8), generator=torch.Generator().manual_seed(idx)
        )
        sample = DataSample().set_gt_label(self.get_data_info(idx)['gt_label'])
        return {'inputs': noise + idx, 'data_samples': sample}


@DATASETS.register_module(force=True)
class TwoLabels(Digits):
    labels = ([0], [1], [2], [0, 1])


def make_runner(work_dir, distributed=False, **kwargs):
    loader = dict(
        batch_size=3,
        dataset=dict(type='Digits'),
        sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    )
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None)
    config = dict(
        model=dict(
            type='ImageClassifier',
            backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='mmlt.NCMHead', num_classes=3, in_channels=16),
            data_preprocessor=dict(mean=[0.0] * 3, std=[1.0] * 3),
        ),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(type='mmlt.ClassMeansLoop'),
        optim_wrapper=dict(),
        val_dataloader=loader,
        val_cfg=dict(),
        val_evaluator=dict(type='mmlt.ShotAccuracy'),
        test_dataloader=loader,
        test_cfg=dict(),
        test_evaluator=dict(type='mmlt.ShotAccuracy'),
        custom_hooks=[dict(type='mmlt.ClassStatsHook')],
        launcher='pytorch' if distributed else 'none',
        default_scope='mmpretrain',
        experiment_name=f'{work_dir}_{distributed}_{len(kwargs)}',
        log_level='WARNING',
        model_wrapper_cfg=wrapper if distributed else None,
    )
    return Runner.from_cfg({**config, **kwargs})


@pytest.fixture
def first(tmp_path):
    """A first stage with a linear head."""
    torch.manual_seed(0)
    runner = make_runner(tmp_path / 'first')
    state = {
        name: value
        for name, value in runner.model.state_dict().items()
        if not name.startswith('head')
    }
    state['head.fc.weight'] = torch.randn(3, 16)
    state['backbone.bn1.running_mean'].add_(0.5)
    path = tmp_path / 'first.pth'
    torch.save({'state_dict': state}, path)
    return path


def literal_means(first):
    """cl2n in float64, image by image."""
    model = make_runner(first.parent / 'literal').model.eval()
    state = torch.load(first, weights_only=True)['state_dict']
    model.load_state_dict(state, strict=False)
    dataset = Digits()
    with torch.no_grad():
        feature = torch.stack(
            [
                model.extract_feat(dataset[k]['inputs'][None])[-1][0]
                for k in range(NUM)
            ]
        ).double()
    feature = feature - feature.mean(0)
    feature = feature / feature.norm(dim=1, keepdim=True)
    labels = torch.tensor(Digits.labels)
    return torch.stack([feature[labels == k].mean(0) for k in range(3)])


def test_train_then_test(tmp_path, first, capsys):
    runner = make_runner(tmp_path / 'ncm', load_from=str(first))
    before = {n: p.clone() for n, p in runner.model.named_parameters()}
    state = torch.load(first, weights_only=True)['state_dict']
    runner.train()
    assert '3/3' in capsys.readouterr().out  # The progress bar.
    # A batch rounds otherwise than its images one by one.
    expected = literal_means(first).float()
    assert_close(runner.model.head.means, expected, rtol=1e-4, atol=1e-6)
    for name, value in runner.model.named_parameters():
        assert value.equal(state[name]), name
        assert before.keys() == dict(runner.model.named_parameters()).keys()
    mean = runner.model.backbone.bn1.running_mean
    assert mean.equal(state['backbone.bn1.running_mean'])
    scalars = runner.message_hub.log_scalars
    accuracy = scalars['val/accuracy/balanced'].current()

    path = tmp_path / 'ncm' / 'epoch_1.pth'
    tested = make_runner(tmp_path / 'test', load_from=str(path))
    metrics = tested.test()
    assert tested.model.head.means.equal(runner.model.head.means)
    assert metrics['accuracy/balanced'] == accuracy


def means_of_rank(rank, work_dir, first):
    runner = make_runner(work_dir, distributed=True, load_from=str(first))
    runner.train()
    head = unwrap(runner.model).head
    return head.means.tolist()


def test_two_ranks_equal_one(tmp_path, first, on_two_ranks):
    one, other = on_two_ranks(means_of_rank, tmp_path / 'two', first)
    assert one == other
    # Seven images do not part evenly.
    expected = literal_means(first).float()
    assert_close(torch.tensor(one), expected, rtol=1e-4, atol=1e-6)


def test_first_stage_has_no_means(tmp_path, first):
    metric = dict(type='mmlt.ShotAccuracy', class_stats=[3, 2, 2])
    runner = make_runner(tmp_path, load_from=str(first), test_evaluator=metric)
    with pytest.raises(ValueError, match='no class means'):
        runner.test()


def test_resumed_run_keeps_its_means(tmp_path, first):
    whole = make_runner(tmp_path, load_from=str(first))
    whole.train()
    resumed = make_runner(tmp_path, resume=True, log_level='ERROR')
    resumed.train()
    assert resumed.model.head.means.equal(whole.model.head.means)


def test_random_backbone(tmp_path):
    with pytest.raises(
        ValueError, match=r'random values: backbone\.'
    ) as error:
        make_runner(tmp_path).train()
    assert 'load_from=PATH' in str(error.value)
    with pytest.raises(FileNotFoundError, match='train that one first'):
        make_runner(tmp_path, load_from=str(tmp_path / 'none.pth')).train()


def test_each_image_once(tmp_path, first):
    loader = dict(
        batch_size=3,
        dataset=dict(type='Digits'),
        sampler=dict(type='DefaultSampler'),
        drop_last=True,
    )
    runner = make_runner(
        tmp_path, load_from=str(first), train_dataloader=loader
    )
    with pytest.raises(ValueError, match='6 images of a training set of 7'):
        runner.train()


def test_several_labels(tmp_path, first):
    loader = dict(
        batch_size=2,
        dataset=dict(type='TwoLabels'),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    runner = make_runner(
        tmp_path,
        load_from=str(first),
        train_dataloader=loader,
        val_dataloader=None,
        val_cfg=None,
        val_evaluator=None,
    )
    with pytest.raises(ValueError, match='single-label'):
        runner.train()


def test_bad_arguments(tmp_path, first):
    loop = dict(type='mmlt.ClassMeansLoop', max_epochs=2)
    with pytest.raises(ValueError, match='max_epochs of ClassMeansLoop'):
        make_runner(tmp_path, train_cfg=loop).train()
    head = dict(type='LinearClsHead', num_classes=3, in_channels=16)
    model = dict(
        type='ImageClassifier',
        backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
        head=head,
    )
    with pytest.raises(TypeError, match='the head is a LinearClsHead'):
        make_runner(tmp_path, model=model).train()


def test_maps_are_refused(tmp_path, first):
    runner = make_runner(tmp_path, load_from=str(first))
    runner.model.neck = None
    with pytest.raises(ValueError, match=r'\(3, 16, 2, 2\).*GlobalAverage'):
        runner.train()
