"""Every test runs a real Runner on eight tiny images."""

import itertools
from typing import ClassVar

import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import load_tensors
from mmlt.engine.hooks import ClassifierEditHook
from mmlt.models.posthoc.edits import adjust_logits, tau_normalize

LABELS = [0, 0, 0, 0, 0, 1, 1, 2]
LOG_PI = torch.tensor([5.0, 2.0, 1.0]).div(8).log()
ADJUST = dict(type='mmlt.LogitAdjustment', tau=1.5)
STATS_HOOK = dict(type='mmlt.ClassStatsHook')
_run_number = itertools.count()


def edit_hook(*edits, **arguments):
    return dict(
        type='mmlt.ClassifierEditHook',
        edits=list(edits or [ADJUST]),
        **arguments,
    )


def image(index):
    generator = torch.Generator().manual_seed(index)
    return torch.rand(3, 4, 4, generator=generator)


class Images(BaseDataset):
    METAINFO: ClassVar = dict(classes=('a', 'b', 'c'))

    def load_data_list(self):
        return [dict(index=i, gt_label=k) for i, k in enumerate(LABELS)]


def pack(info):
    sample = DataSample().set_gt_label(info['gt_label'])
    return dict(inputs=image(info['index']), data_samples=sample)


class Score(BaseMetric):
    """Keep what was predicted; get better each epoch."""

    default_prefix = 'score'

    def __init__(self):
        super().__init__()
        self.predicted = []
        self.fail = False

    def process(self, data_batch, data_samples):
        if self.fail:
            raise RuntimeError('broken metric')
        self.results += [sample['pred_score'] for sample in data_samples]

    def compute_metrics(self, results):
        self.predicted.append(torch.stack(results))
        return dict(best=len(self.predicted))


def make_runner(
    folder, *hooks, bias=True, model=None, max_epochs=2, save_best=None, **cfg
):
    model = model or dict(head=dict(type='LinearClsHead'))
    model['head'] = dict(num_classes=3, in_channels=8, **model['head'])
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        torch.manual_seed(3)
        model = MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(
                    type='ResNet', depth=18, base_channels=1, stem_channels=1
                ),
                neck=dict(type='GlobalAveragePooling'),
                **model,
            )
        )
        model.init_weights()
    if not bias:
        model.head.fc.bias = None
    loader = dict(
        batch_size=4,
        num_workers=0,
        dataset=Images(pipeline=[pack]),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    metric = Score()
    runner = Runner(
        model=model,
        work_dir=str(folder),
        train_dataloader=loader,
        val_dataloader=loader,
        test_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        val_cfg=dict(),
        test_cfg=dict(),
        val_evaluator=Evaluator([metric]),
        test_evaluator=Evaluator([metric]),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.5, momentum=0.9)),
        custom_hooks=list(hooks),
        default_hooks=dict(
            checkpoint=dict(
                type='CheckpointHook',
                interval=1,
                save_best=save_best,
                rule='greater',
            )
        ),
        default_scope='mmpretrain',
        experiment_name=f'classifier_edit_{next(_run_number)}',
        log_level='WARNING',
        **cfg,
    )
    return runner, metric


@torch.no_grad()
def scores_of(model, edit=None):
    """(8, 3) probabilities of the classifier, edited by hand."""
    model.eval()
    images = torch.stack([image(i) for i in range(len(LABELS))])
    feats = model.extract_feat(images)[-1]
    weight, bias = model.head.fc.weight, model.head.fc.bias
    if edit is not None:
        weight, bias = edit(weight, bias)
    return torch.nn.functional.linear(feats, weight, bias).softmax(1)


def adjusted(weight, bias, tau=1.5):
    return adjust_logits(weight, bias, LOG_PI, tau)


def state_of(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def assert_bit_equal(actual, expected):
    assert actual.keys() == expected.keys()
    for key in expected:
        assert torch.equal(actual[key], expected[key]), key


def load(path):
    return load_tensors(path)['state_dict']


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('mode', ['val', 'test'])
def test_predictions_are_edited_and_weights_are_back(tmp_path, mode, bias):
    hook = edit_hook(class_stats=[5, 2, 1])
    runner, metric = make_runner(tmp_path, hook, bias=bias)
    before = state_of(runner.model)
    parameters = dict(runner.model.named_parameters())
    storage = runner.model.head.fc.weight.data_ptr()

    getattr(runner, mode)()

    expected = scores_of(runner.model, adjusted)
    torch.testing.assert_close(metric.predicted[0], expected)
    assert not torch.allclose(expected, scores_of(runner.model))
    assert_bit_equal(runner.model.state_dict(), before)
    assert dict(runner.model.named_parameters()).keys() == parameters.keys()
    for name, parameter in runner.model.named_parameters():
        assert parameter is parameters[name]
    assert runner.model.head.fc.weight.data_ptr() == storage


def test_edits_apply_in_their_order(tmp_path):
    norm = dict(type='mmlt.TauNorm', tau=0.5, keep_bias=True)
    hook = edit_hook(norm, ADJUST, class_stats=[5, 2, 1])
    runner, metric = make_runner(tmp_path, hook)
    runner.val()

    def both(weight, bias):
        return adjusted(*tau_normalize(weight, bias, 0.5, keep_bias=True))

    expected = scores_of(runner.model, both)
    torch.testing.assert_close(metric.predicted[0], expected)


def test_tau_norm_needs_no_stats(tmp_path):
    runner, metric = make_runner(
        tmp_path, edit_hook(dict(type='mmlt.TauNorm'))
    )
    runner.test()
    expected = scores_of(runner.model, lambda w, b: tau_normalize(w, b, 1.0))
    torch.testing.assert_close(metric.predicted[0], expected)


class WeightsSeen(Hook):
    """What other hooks see of the classifier between the iterations."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.changed = []

    def before_val_epoch(self, runner):
        self.weight = runner.model.head.fc.weight.clone()

    def after_val_iter(self, runner, *args, **kwargs):
        weight = runner.model.head.fc.weight
        self.changed.append(not torch.equal(weight, self.weight))


EMA = dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.3)


@pytest.mark.parametrize('ema', [[], [EMA]], ids=['plain', 'ema'])
def test_training_and_checkpoints_do_not_notice(tmp_path, ema):
    best = dict(save_best='score/best')
    plain, plain_metric = make_runner(tmp_path / 'plain', *ema, **best)
    plain.train()
    seen = WeightsSeen()
    norm = dict(type='mmlt.TauNorm', tau=0.5, keep_bias=True)
    hooks = [edit_hook(norm, ADJUST), STATS_HOOK, seen]
    edited, metric = make_runner(tmp_path / 'edited', *hooks, *ema, **best)
    edited.train()

    assert seen.changed == [False] * 4
    assert_bit_equal(edited.model.state_dict(), plain.model.state_dict())
    for name in ('epoch_1.pth', 'epoch_2.pth', 'best_score_best_epoch_2.pth'):
        assert_bit_equal(
            load(tmp_path / 'edited' / name), load(tmp_path / 'plain' / name)
        )

    # The weights that were validated are those of the checkpoint: with
    # EMAHook the average.
    edited.model.load_state_dict(load(tmp_path / 'edited' / 'epoch_2.pth'))
    torch.testing.assert_close(
        plain_metric.predicted[1], scores_of(edited.model)
    )

    def both(weight, bias):
        return adjusted(*tau_normalize(weight, bias, 0.5, keep_bias=True))

    torch.testing.assert_close(
        metric.predicted[1], scores_of(edited.model, both)
    )


def test_a_failed_validation_is_cleaned_up(tmp_path):
    runner, metric = make_runner(tmp_path, edit_hook(class_stats=[5, 2, 1]))
    before = state_of(runner.model)
    metric.fail = True
    with pytest.raises(RuntimeError, match='broken metric'):
        runner.val()
    metric.fail = False

    runner.val()

    assert_bit_equal(runner.model.state_dict(), before)
    expected = scores_of(runner.model, adjusted)
    torch.testing.assert_close(metric.predicted[0], expected)


def test_compiled_models_are_edited(tmp_path):
    runner, metric = make_runner(
        tmp_path, edit_hook(class_stats=[5, 2, 1]), bias=False
    )
    runner.model.forward = torch.compile(runner.model.forward, backend='eager')
    runner.val()
    runner.val()
    del runner.model.forward
    expected = scores_of(runner.model, adjusted)
    torch.testing.assert_close(metric.predicted[0], expected)
    torch.testing.assert_close(metric.predicted[1], expected)


def test_distributed_models_are_edited(tmp_path):
    runner, metric = make_runner(tmp_path, edit_hook(class_stats=[5, 2, 1]))
    store = torch.distributed.FileStore(str(tmp_path / 'store'), 1)
    torch.distributed.init_process_group(
        'gloo', store=store, rank=0, world_size=1
    )
    try:
        model = runner.model
        runner.model = MMDistributedDataParallel(model)
        runner.val()
    finally:
        torch.distributed.destroy_process_group()
    expected = scores_of(model, adjusted)
    torch.testing.assert_close(metric.predicted[0], expected)


def test_stats_of_the_checkpoint_serve_in_testing(tmp_path):
    runner, _ = make_runner(tmp_path, STATS_HOOK, max_epochs=1)
    runner.train()
    for hooks in ([edit_hook()], [edit_hook(), STATS_HOOK]):
        checkpoint = str(tmp_path / 'epoch_1.pth')
        runner, metric = make_runner(tmp_path, *hooks, load_from=checkpoint)
        runner.test()
        expected = scores_of(runner.model, adjusted)
        torch.testing.assert_close(metric.predicted[0], expected)


def test_stats_in_the_buffers_of_a_loss_serve(tmp_path):
    loss = dict(type='mmlt.LogitAdjustedLoss', tau=0, class_stats=[5, 2, 1])
    model = dict(head=dict(type='LinearClsHead', loss=loss))
    runner, metric = make_runner(tmp_path, edit_hook(), model=model)
    runner.test()
    expected = scores_of(runner.model, adjusted)
    torch.testing.assert_close(metric.predicted[0], expected)


def test_the_argument_wins_over_the_training_set(tmp_path):
    hook = edit_hook(class_stats=[1, 1, 6])
    runner, metric = make_runner(tmp_path, hook, STATS_HOOK, max_epochs=1)
    runner.train()
    log_pi = torch.tensor([1.0, 1.0, 6.0]).div(8).log()
    expected = scores_of(
        runner.model, lambda w, b: adjust_logits(w, b, log_pi, 1.5)
    )
    torch.testing.assert_close(metric.predicted[0], expected)


def test_training_does_not_use_the_stats_of_another_data_set(tmp_path):
    runner, _ = make_runner(tmp_path / 'a', STATS_HOOK, max_epochs=1)
    runner.train()
    checkpoint = str(tmp_path / 'a' / 'epoch_1.pth')
    runner, _ = make_runner(tmp_path / 'b', edit_hook(), load_from=checkpoint)
    with pytest.raises(ValueError, match=r'no class statistics.*custom_hooks'):
        runner.train()
    assert runner.iter == 0


@pytest.mark.parametrize('mode', ['train', 'val', 'test'])
def test_missing_stats(tmp_path, mode):
    runner, _ = make_runner(tmp_path, edit_hook())
    with pytest.raises(ValueError, match='no class statistics'):
        getattr(runner, mode)()


def test_stats_of_another_number_of_classes(tmp_path):
    runner, _ = make_runner(tmp_path, edit_hook(class_stats=[5, 2]))
    with pytest.raises(ValueError, match=r'3 classes.*hold 2'):
        runner.train()


def test_the_loss_and_the_edit_exclude_each_other(tmp_path):
    model = dict(
        head=dict(
            type='LinearClsHead', loss=dict(type='mmlt.LogitAdjustedLoss')
        )
    )
    runner, _ = make_runner(tmp_path, edit_hook(), STATS_HOOK, model=model)
    with pytest.raises(ValueError, match=r'loss_module.*never both'):
        runner.train()


def test_two_hooks_are_refused(tmp_path):
    norm = edit_hook(dict(type='mmlt.TauNorm'))
    runner, _ = make_runner(tmp_path, edit_hook(), norm, STATS_HOOK)
    with pytest.raises(ValueError, match=r'2 ClassifierEditHooks.*all the'):
        runner.train()


def test_an_edited_checkpoint_is_not_edited_again(tmp_path):
    runner, _ = make_runner(tmp_path, STATS_HOOK, max_epochs=1)
    runner.train()
    path = str(tmp_path / 'edited.pth')
    checkpoint = load_tensors(tmp_path / 'epoch_1.pth')
    checkpoint['meta']['classifier_edits'] = [ADJUST]
    torch.save(checkpoint, path)
    runner, _ = make_runner(tmp_path, edit_hook(), load_from=path)
    with pytest.raises(ValueError, match='already'):
        runner.test()
    norm = edit_hook(dict(type='mmlt.TauNorm'))
    runner, metric = make_runner(tmp_path, norm, load_from=path)
    runner.test()
    assert len(metric.predicted) == 1


def test_named_layers(tmp_path):
    hook = edit_hook(class_stats=[5, 2, 1], layers=['head.fc'])
    runner, metric = make_runner(tmp_path, hook)
    runner.val()
    expected = scores_of(runner.model, adjusted)
    torch.testing.assert_close(metric.predicted[0], expected)
    hook = edit_hook(class_stats=[5, 2, 1], layers=['head.last'])
    runner, _ = make_runner(tmp_path, hook)
    with pytest.raises(ValueError, match=r"head\.last.*'head\.fc \(3, 8\)'"):
        runner.val()


@pytest.mark.parametrize('edits', [[], ADJUST, 'mmlt.TauNorm'])
def test_edits_must_be_a_list(tmp_path, edits):
    with pytest.raises(ValueError, match='edits must be a list'):
        make_runner(
            tmp_path, dict(type='mmlt.ClassifierEditHook', edits=edits)
        )


def test_wrong_arguments_fail_when_built(tmp_path):
    with pytest.raises(TypeError, match='taus'):
        make_runner(tmp_path, edit_hook(dict(type='mmlt.TauNorm', taus=1)))
    with pytest.raises(ValueError, match='tau must be a finite number'):
        make_runner(
            tmp_path, edit_hook(dict(type='mmlt.TauNorm', tau=float('nan')))
        )
    with pytest.raises(FileNotFoundError, match=r'no\.json'):
        make_runner(tmp_path, edit_hook(class_stats='no.json'))


def test_set_class_stats_does_not_overrule_the_config():
    stats = ClassStats.single_label([3, 2, 1])
    given = ClassifierEditHook([ADJUST], class_stats=[1, 1, 1])
    given.set_class_stats(stats)
    assert given.class_stats == ClassStats.single_label([1, 1, 1])
    free = ClassifierEditHook([ADJUST])
    free.set_class_stats(stats)
    assert free.class_stats == stats
