"""Count the training set once and hand the result to all that need it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from torch import nn

from mmlt.class_stats import ClassStats, collect_class_stats
from mmlt.class_stats.co_occurrence import co_occurrence
from mmlt.class_stats.names import check_same_classes, class_names
from mmlt.class_stats.receiver import ClassStatsReceiver, align
from mmlt.class_stats.storage import find_class_names
from mmlt.models.unwrap import unwrap
from mmlt.registry import HOOKS

from .check_run_hook import CheckRunHook


@HOOKS.register_module()
class ClassStatsHook(ClassStatsReceiver, Hook):
    """Give the class statistics to modules, metrics and hooks.

    Whatever has a method ``set_class_stats`` receives them: modules of the
    model (and of its moving average), metrics and other hooks. What such a
    part was given in the config wins there. A part with
    ``set_co_occurrence(counts, classes)`` receives, before training, the
    (C, C) numbers of images that hold two classes, and the names.

    In training the statistics are counted on rank 0 and broadcast, and the
    checkpoint's are replaced. In validation and testing without training,
    those of the checkpoint serve; every checkpoint written under this hook
    carries them in ``meta['class_stats']``, for models without any loss of
    mmlt, too.

    Args:
        class_stats (ClassStats | dict | list | str | None): Use these and
            count nothing. Defaults to None.
    """

    # Before the hooks that may receive the statistics are called.
    priority = 'HIGH'

    def __init__(self, class_stats: Any = None) -> None:
        self.loaded: ClassStats | None = None
        # The names of the classes that the model tells apart, and whose
        # they are.
        self._trained: tuple[Sequence[str] | None, str] = (None, '')
        self._in_training = False
        self.init_class_stats(class_stats)

    def before_run(self, runner) -> None:
        """Refuse a second hook, whose statistics might be others.

        Also add ``CheckRunHook``, which checks what they were given to.

        Raises:
            ValueError: If there is one.
        """
        hooks = [
            hook for hook in runner.hooks if isinstance(hook, ClassStatsHook)
        ]
        if len(hooks) > 1:
            raise ValueError(
                f'there are {len(hooks)} ClassStatsHooks; leave out that of '
                'custom_hooks, since the configs of mmlt have one, and give '
                'it arguments by default_hooks=dict(class_stats=dict('
                "type='mmlt.ClassStatsHook', class_stats=...))"
            )
        CheckRunHook.add_to(runner)

    def before_train(self, runner) -> None:
        """Count, compare with what was resumed, and hand out.

        Raises:
            ValueError: If training and validation set, or the resumed run,
                have other classes.
        """
        dataset = runner.train_dataloader.dataset
        classes = class_names(dataset)
        if runner._resume:
            names, owner = self._trained
            check_same_classes(names, classes, owner, 'the training set')
        self._trained = classes, 'the training set'
        if hasattr(runner._val_loop, 'dataloader'):
            self._check_test_set(runner._val_loop, 'val_dataloader')
        if not self.class_stats_given:
            counted = _count_on_rank_0(collect_class_stats, dataset)
            self.set_class_stats(counted)
        _hand_out_co_occurrence(runner, dataset, classes)
        self._hand_out(runner, classes, 'the training set')
        stats = self.class_stats
        self._warn_if_changed(runner, stats)
        runner.logger.info(
            f'Class statistics: {stats.num_classes} classes, '
            f'{stats.num_images} images, imbalance factor '
            f'{stats.imbalance_factor():.4g}'
        )
        self._in_training = True

    def after_train(self, runner) -> None:
        """From here on, validation is on its own."""
        self._in_training = False

    def before_val(self, runner) -> None:
        """Outside of training, serve the checkpoint's statistics."""
        if not self._in_training:
            self._serve_checkpoint(runner, runner.val_loop, 'val_dataloader')

    def before_test(self, runner) -> None:
        """Outside of training, serve the checkpoint's statistics."""
        self._serve_checkpoint(runner, runner.test_loop, 'test_dataloader')

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Add the statistics to the checkpoint."""
        if self.class_stats is not None:
            checkpoint['meta']['class_stats'] = self.class_stats.to_dict()

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the checkpoint's statistics for testing and comparison.

        Raises:
            ValueError: If they are damaged.
        """
        try:
            self.loaded = ClassStats.from_checkpoint(checkpoint)
        except ValueError as error:
            # MMEngine does not say which it loads, unless it is told.
            file = runner._load_from or 'the loaded checkpoint'
            raise ValueError(f'{file}: {error}') from error
        self._trained = find_class_names(checkpoint), 'the loaded checkpoint'
        # None, too: the statistics of another checkpoint do not serve.
        self.set_class_stats(self.loaded)

    def _check_test_set(self, loop: Any, name: str) -> Sequence[str] | None:
        classes = class_names(loop.dataloader.dataset)
        names, owner = self._trained
        check_same_classes(names, classes, owner, f'{name}: the test set')
        return classes

    def _warn_if_changed(self, runner, stats: ClassStats) -> None:
        # `load_from` may well be another data set; a resumed run may not.
        if not runner._resume or self.loaded is None:
            return
        difference = stats.difference(self.loaded)
        if difference is not None:
            runner.logger.warning(
                'The class statistics differ from those of the resumed run: '
                f'{difference} in the checkpoint. The present ones are used '
                'from here on.'
            )

    def _serve_checkpoint(self, runner, loop: Any, name: str) -> None:
        classes = self._check_test_set(loop, name)
        if not self.class_stats_given and self.class_stats is not None:
            # Of a run in which nobody compared them with the data.
            stats = align(
                self.class_stats, classes, 'the checkpoint', 'the test set'
            )
            self.set_class_stats(stats)
        self._hand_out(runner, classes, 'the test set')
        for metric in loop.evaluator.metrics:
            if isinstance(metric, ClassStatsReceiver):
                metric.check_class_stats()

    def _hand_out(
        self, runner, classes: Sequence[str] | None, owner: str
    ) -> None:
        """Give the statistics to all; what the config gave is put in order."""
        self.align_class_stats(classes, owner)
        stats = self.class_stats
        if stats is not None:
            for model in _models(runner):
                _check_num_classes(model, stats)
            classes = classes or stats.classes
        for part in _parts(runner):
            if isinstance(part, ClassStatsReceiver):
                part.align_class_stats(classes, owner)
            if stats is not None and hasattr(part, 'set_class_stats'):
                part.set_class_stats(stats)
        for model in _models(runner):
            # An average of buffers, too, still refers to the replaced ones.
            if getattr(model, 'update_buffers', False):
                model.avg_parameters = model.module.state_dict()


def _models(runner) -> Iterator[nn.Module]:
    yield unwrap(runner.model)
    for hook in runner.hooks:
        if isinstance(getattr(hook, 'ema_model', None), nn.Module):
            yield hook.ema_model


def _parts(runner) -> Iterator[Any]:
    for model in _models(runner):
        yield from model.modules()
    for loop in (runner._val_loop, runner._test_loop):
        # A loop that is not in use is still its config.
        if hasattr(loop, 'evaluator'):
            yield from loop.evaluator.metrics
    yield from runner.hooks


def _hand_out_co_occurrence(
    runner, dataset: Any, classes: Sequence[str] | None
) -> None:
    """Count which labels come together, if a part asks for it."""
    parts = [p for p in _parts(runner) if hasattr(p, 'set_co_occurrence')]
    if parts:
        counts = _count_on_rank_0(co_occurrence, dataset)
        for part in parts:
            part.set_co_occurrence(counts, classes)


def _count_on_rank_0(count: Callable, dataset: Any) -> Any:
    """The same counts, or an error, on every rank."""
    counts, error = None, None
    if is_main_process():
        try:
            counts = count(dataset)
        except Exception as caught:
            error = caught
    # Without this word of the error the other ranks would wait for ever.
    message = [counts, error and f'{type(error).__name__}: {error}']
    broadcast_object_list(message)
    if error is not None:
        raise error
    counts, reason = message
    if reason is not None:
        raise RuntimeError(f'rank 0 could not count the classes: {reason}')
    return counts


def _check_num_classes(model: nn.Module, stats: ClassStats) -> None:
    """Compare with the head around each part, before the first step.

    Raises:
        ValueError: If a head was built for another number of classes.
    """
    for name, head in model.named_modules():
        num_classes = getattr(head, 'num_classes', None)
        if not isinstance(num_classes, int):
            continue
        for part in head.children():
            if not hasattr(part, 'set_class_stats'):
                continue
            given = getattr(part, 'given_class_stats', None)
            part_classes = (given or stats).num_classes
            if part_classes == num_classes:
                continue
            cure = (
                'give its class_stats one count for each class of the head'
                if given
                else f'if they are right, set num_classes={part_classes} of '
                'the head; else give the data set all its class names by '
                'metainfo=dict(classes=...)'
            )
            raise ValueError(
                f'{name or type(head).__name__} has num_classes='
                f'{num_classes}, but the class statistics of its '
                f'{type(part).__name__} hold {part_classes} classes, which '
                f'{"its config gives" if given else "the hook gives"}; {cure}'
            )
