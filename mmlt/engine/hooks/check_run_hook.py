"""Find before the first step what would be wrong after an epoch."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import BatchSampler

from mmlt.class_stats.names import class_names
from mmlt.class_stats.receiver import ClassStatsReceiver
from mmlt.datasets.samplers import (
    BilateralBatchSampler,
    DeferredSampler,
    ProgressiveSampler,
)
from mmlt.engine.resumed import changed_length, num_epochs, planned_length
from mmlt.models.classifiers import BBNClassifier
from mmlt.models.losses_of_heads import check_losses_of_heads
from mmlt.models.posthoc.checks import adjusting_losses
from mmlt.models.posthoc.edits import describe
from mmlt.models.unwrap import unwrap
from mmlt.registry import HOOKS

from .alpha_schedule_hook import AlphaScheduleHook
from .classifier_edit_hook import ClassifierEditHook
from .deferred_reweight_hook import DeferredReweightHook


@HOOKS.register_module()
class CheckRunHook(Hook):
    """See that the parts of a run fit each other.

    The tools of mmlt, and ``ClassStatsHook``, add it to each run. Before
    training it stops if the head of a classifier has another number of
    classes than the training set, if a head of a detector cannot take its
    loss, if nothing moves the alpha of a ``BBNClassifier``, if a
    ``ManifoldMixupClassifier`` of two samplers has one, or if a metric cannot
    score the validation set. It warns if there was nothing to resume, or
    nothing is left to train, and if a sampler's epochs are not those of the
    run.

    A metric may have ``check_dataset(dataset, best)``, which raises if it
    cannot score the data set, or its result will lack one of the names
    ``best``, by which the best checkpoint is chosen. One with
    ``set_applied(applied)``, such as ``DumpLogits``, is told before
    validation and test what adjusts the logits: a list of dicts with the
    ``type``, of losses, edits in the checkpoint, and ``ClassifierEditHook``.

    Raises:
        ValueError: Before training, see above.
    """

    # After ClassStatsHook has given statistics to the metrics.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._planned: dict[str, int] = {}
        self._edits: list[dict] = []

    @classmethod
    def add_to(cls, runner: Runner) -> None:
        """Register one, unless there is one."""
        if not any(isinstance(hook, cls) for hook in runner.hooks):
            runner.register_hook(cls())

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember what the checkpoint was meant for, and its edits."""
        self._planned = planned_length(checkpoint)
        meta = checkpoint.get('meta') or {}
        self._edits = meta.get('classifier_edits', [])

    def before_train(self, runner: Runner) -> None:
        """Check, before the first step."""
        # The weights that were edited are trained now.
        self._edits = []
        _check_head(runner)
        check_losses_of_heads(unwrap(runner.model))
        _check_alpha(runner)
        _check_samplers(runner)
        if hasattr(runner._val_loop, 'evaluator'):
            _check_metrics(runner)
        _warn_of_start(runner)
        _warn_of_epochs(runner, self._planned)

    def before_val(self, runner: Runner) -> None:
        """Tell metrics what adjusts the logits."""
        self._tell(runner, runner.val_loop)

    def before_test(self, runner: Runner) -> None:
        """Tell metrics what adjusts the logits."""
        self._tell(runner, runner.test_loop)

    def _tell(self, runner: Runner, loop: Any) -> None:
        losses = adjusting_losses(unwrap(runner.model)).values()
        applied = [{'type': f'mmlt.{type(loss).__name__}'} for loss in losses]
        applied += self._edits
        for hook in runner.hooks:
            if isinstance(hook, ClassifierEditHook):
                applied += map(describe, hook.edits)
        for metric in loop.evaluator.metrics:
            if hasattr(metric, 'set_applied'):
                metric.set_applied(applied)


def _check_head(runner: Runner) -> None:
    """Compare a classifier's head with the data, whatever its loss."""
    # MMDetection has NumClassCheckHook for its heads, which are no `head`.
    head = getattr(unwrap(runner.model), 'head', None)
    num_classes = getattr(head, 'num_classes', None)
    classes = class_names(runner.train_dataloader.dataset)
    if classes is None or not isinstance(num_classes, int):
        return
    if num_classes != len(classes):
        raise ValueError(
            f'head: {type(head).__name__} has num_classes={num_classes}, but '
            f'the training set has {len(classes)} classes; set num_classes='
            f'{len(classes)} of the head, or if the data set lacks some, give '
            'it all their names by metainfo=dict(classes=...)'
        )


def _check_alpha(runner: Runner) -> None:
    # AlphaScheduleHook itself refuses other models and batches.
    if isinstance(unwrap(runner.model), BBNClassifier) and not any(
        isinstance(hook, AlphaScheduleHook) for hook in runner.hooks
    ):
        raise ValueError(
            'mmlt.BBNClassifier has no schedule of alpha, which would stay at '
            "0.5: add default_hooks=dict(alpha=dict(type='mmlt."
            "AlphaScheduleHook')), with schedule='equal' if 0.5 is meant; a "
            'hook of your own inherits from it'
        )


def _check_samplers(runner: Runner) -> None:
    """See that a model that mixes images draws as many samplers as it has."""
    two_samplers = getattr(unwrap(runner.model), 'two_samplers', None)
    batches = runner.train_dataloader.batch_sampler
    # A batch sampler of the user's own may well draw two halves.
    if two_samplers is True and type(batches) is BatchSampler:
        raise ValueError(
            'two_samplers=True mixes [B uniform | B reversed] images, but '
            'these batches come from one sampler: add batch_sampler=dict('
            "type='mmlt.BilateralBatchSampler') to train_dataloader"
        )
    if two_samplers is False and isinstance(batches, BilateralBatchSampler):
        raise ValueError(
            'train_dataloader: batch_sampler=mmlt.BilateralBatchSampler gives '
            'images of two samplers, which two_samplers=False mixes as those '
            'of one: set two_samplers=True of the model'
        )


def _check_metrics(runner: Runner) -> None:
    dataset = runner.val_dataloader.dataset
    best = [
        name
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook)
        for name in hook.save_best or ()
    ]
    for metric in runner.val_evaluator.metrics:
        if isinstance(metric, ClassStatsReceiver):
            metric.check_class_stats()
        if hasattr(metric, 'check_dataset'):
            metric.check_dataset(dataset, best)


def _warn_of_start(runner: Runner) -> None:
    """Say what MMEngine does in silence with ``resume=True``."""
    if not runner._resume:
        return
    by_iter = isinstance(runner.train_loop, IterBasedTrainLoop)
    unit = 'iter' if by_iter else 'epoch'
    done, total = getattr(runner, unit), getattr(runner, f'max_{unit}s')
    if not runner._has_loaded:
        runner.logger.warning(
            f'Nothing was resumed, since work_dir={runner.work_dir!r} holds '
            'no checkpoint: the training starts with fresh weights. The tools '
            'of MMDetection and MMPretrain drop load_from when they are to '
            'resume; those of mmlt load it.'
        )
    elif done >= total:
        runner.logger.warning(
            f'The resumed checkpoint {runner._load_from!r} has {unit} {done} '
            f'of {total}: nothing is left to train. To start from its '
            'weights, give it by load_from with resume=False.'
        )


def _warn_of_epochs(runner: Runner, planned: dict[str, int]) -> None:
    """What counts on the epochs of the run: samplers, deferred weights."""
    sampler = runner.train_dataloader.sampler
    by_iter = isinstance(runner.train_loop, IterBasedTrainLoop)
    unit = 'iters' if by_iter else 'epochs'
    for part in (sampler, *runner.hooks):
        if isinstance(part, (DeferredSampler, DeferredReweightHook)):
            for change in changed_length(runner, planned, (unit,)):
                runner.logger.warning(
                    f'{change}: {type(part).__name__} switches where it did.'
                )
    if not isinstance(sampler, (DeferredSampler, ProgressiveSampler)):
        return
    total = num_epochs(runner)
    if isinstance(sampler, DeferredSampler):
        if sampler.switch_epoch >= total:
            runner.logger.warning(
                f'DeferredSampler: epoch={sampler.switch_epoch}, counted from '
                f'0, is beyond the last one, {total - 1}: it never samples by '
                '`after`.'
            )
    elif sampler.max_epochs != total:
        runner.logger.warning(
            f'ProgressiveSampler has max_epochs={sampler.max_epochs}, but the '
            f'training has {total} epochs; give it the same number.'
        )
