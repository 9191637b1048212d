"""Let a resumed run draw the random numbers of an uninterrupted one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmlt.engine.random_state import (
    WorkerSeed,
    get_state,
    set_seed,
    set_state,
)
from mmlt.registry import HOOKS


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Keep the state of all random number generators in checkpoints.

    Those of PyTorch (CPU, and the present CUDA device), NumPy and Python, of
    each rank, are restored on resume: dropout, random proposals and mixed
    images then go on as in a run that was not interrupted. Workers of the
    data loader are seeded by (seed, epoch, rank, worker), so random
    augmentation goes on, too, at no cost in a step. Validation leaves the
    states as they were, since a resumed run skips it.

    With another number of ranks than the checkpoint's, or a checkpoint
    without states, the log says so, and the generators are seeded by (seed,
    iteration, rank).

    Note:
        MMEngine goes on with the next epoch after a checkpoint within an
        epoch of an epoch-based loop; such a run is not the uninterrupted one.
        In an iteration-based loop, the workers have MMEngine's seeds, by
        (seed, rank, worker), and a resumed run loads its first iterations
        again, which gives the same augmentation.

    Example:
        >>> default_hooks = dict(
        ...     random_state=dict(type='mmlt.RandomStateHook')
        ... )
    """

    # After hooks that draw; before CheckpointHook, which is VERY_LOW.
    priority = 'LOW'

    def __init__(self) -> None:
        self._resumed: list[dict] | None = None
        self._states: list[dict] | None = None
        self._before_val: dict | None = None
        self._workers: WorkerSeed | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the states, in case the checkpoint is resumed."""
        self._resumed = checkpoint.get('random_state')

    def before_train(self, runner: Runner) -> None:
        """Restore the states of a resumed run, and seed workers."""
        loader = runner.train_dataloader
        if loader.num_workers and self._workers is None:
            self._workers = WorkerSeed(loader, runner.seed, runner.rank)
        if not runner.iter:
            return  # Nothing was resumed.
        loop = runner.train_loop
        if isinstance(loop, IterBasedTrainLoop):
            skips = not getattr(loop, 'fast_forward_on_resume', False)
            loop.dataloader_iterator = _CallAfter(
                loop.dataloader_iterator,
                runner.iter if skips else 0,
                lambda: self._restore(runner),
            )
        else:
            self._restore(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the workers the epoch."""
        if self._workers is not None:
            self._workers.epoch.fill_(runner.epoch)

    def before_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """From here on, the states that were kept are old."""
        self._states = None

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Collect the states if a checkpoint of this iteration follows."""
        if any(_saves_iteration(hook, runner) for hook in runner.hooks):
            self._states = all_gather_object(get_state())

    def after_train_epoch(self, runner: Runner) -> None:
        """Collect the states for the checkpoint of this epoch."""
        self._states = all_gather_object(get_state())

    def before_val(self, runner: Runner) -> None:
        """Collect the states for a checkpoint of the best model."""
        self._before_val = get_state()
        self._states = all_gather_object(self._before_val)

    def after_val(self, runner: Runner) -> None:
        """Go on as if there had been no validation."""
        set_state(self._before_val)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the states, which only collecting brings to rank 0."""
        if self._states is not None:
            checkpoint['random_state'] = self._states

    def _restore(self, runner: Runner) -> None:
        states = self._resumed or []
        if len(states) == runner.world_size:
            set_state(states[runner.rank])
            return
        runner.logger.warning(
            f'The resumed checkpoint holds the random states of {len(states)} '
            f'ranks, and there are {runner.world_size} now: the random '
            'numbers are other ones than in an uninterrupted run, seeded by '
            '(seed, iteration, rank).'
        )
        set_seed(runner.seed, runner.iter, runner.rank)


def _saves_iteration(hook: Hook, runner: Runner) -> bool:
    """Whether CheckpointHook writes after this iteration."""
    return (
        isinstance(hook, CheckpointHook)
        and not hook.by_epoch
        and (
            hook.every_n_train_iters(runner, hook.interval, hook.save_begin)
            or (hook.save_last and hook.is_last_train_iter(runner))
        )
    )


class _CallAfter:
    """The batches; the function is called after ``number`` of them.

    So many does MMEngine skip, as already seen, before it goes on.
    """

    def __init__(
        self, batches: Iterator, number: int, function: Callable[[], None]
    ) -> None:
        self._batches = batches
        self._left = number
        self._function = function

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        if self._left == 0:
            self._function()
        self._left -= 1
        return next(self._batches)

    def skip_iter(self, number: int) -> None:
        """onedl-mmengine's way, which would not load what it skips.

        But what workers draw for these batches moves their random state.
        """
        for _ in range(number):
            next(self)
