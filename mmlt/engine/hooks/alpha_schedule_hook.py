"""Write the alpha of a schedule into a bilateral-branch network."""

from __future__ import annotations

import math
from functools import partial

import torch
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import BatchSampler

from mmlt.checks import check_switch, is_number
from mmlt.engine.resumed import changed_length, planned_length
from mmlt.engine.schedules import SCHEDULES, progress
from mmlt.models.classifiers import BBNClassifier
from mmlt.models.unwrap import unwrap
from mmlt.registry import HOOKS


@HOOKS.register_module()
class AlphaScheduleHook(Hook):
    r"""Move the weight of a bilateral-branch network between its branches.

    `BBN <https://arxiv.org/abs/1912.02413>`_, equation 4:
    :math:`\alpha = 1 - (T / T_{max})^2`, and the other schedules of its
    ablation. Alpha depends on nothing but the progress of the training, so a
    resumed run continues where it was; if its length has changed, the log
    says so, and alpha goes by the new length. It is written into the model's
    ``alpha`` buffer and logged as ``alpha``.

    Note:
        T counts from 0. The paper sets T_max to the number of epochs; the
        authors' code takes 100 for 90 and 200 for 180 epochs
        (``t_max=100``), so that alpha does not come close to 0.

    Args:
        schedule (str): 'parabolic', 'linear', 'cosine',
            'parabolic_increment', 'equal', 'beta' or 'step'. Defaults to
            'parabolic'.
        t_max (int, optional): T_max in epochs, or in iterations if alpha
            changes by iteration. Defaults to the length of the training.
        by_epoch (bool): Change alpha before each epoch, else before each
            iteration. An iteration-based loop knows no epochs: there alpha
            always changes by iteration. Defaults to True.
        schedule_args (dict, optional): Arguments of the schedule: ``a``,
            ``b``, ``seed`` of 'beta', ``at`` of 'step'. Defaults to None.

    Raises:
        ValueError: If ``schedule`` is unknown, ``schedule_args`` do not fit
            it, or ``t_max`` is not positive; before training, if ``t_max`` is
            shorter than the training, or the batches of a
            ``mmlt.BBNClassifier`` are not those of two samplers.
        TypeError: If ``by_epoch`` is neither True nor False; before training,
            if the model has no ``alpha`` buffer.
    """

    def __init__(
        self,
        schedule: str = 'parabolic',
        t_max: int | None = None,
        by_epoch: bool = True,
        schedule_args: dict | None = None,
    ):
        if schedule not in list(SCHEDULES):
            raise ValueError(
                f'schedule must be one of {sorted(SCHEDULES)}, '
                f'but got {schedule!r}.'
            )
        if t_max is not None and not (
            is_number(t_max) and 0 < t_max < math.inf
        ):
            raise ValueError(
                'T_max must be a positive number (None takes the length of '
                f'the training), but got t_max={t_max!r}.'
            )
        arguments = {} if schedule_args is None else schedule_args
        try:
            self.schedule = partial(SCHEDULES[schedule], **arguments)
            self.schedule(0.0)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'schedule_args={schedule_args} do not fit the schedule '
                f'{schedule!r}: {error}.'
            ) from error
        self.t_max = t_max
        self.by_epoch = check_switch('by_epoch', by_epoch)
        self._planned: dict[str, int] = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember how long the training was, in case it is resumed."""
        self._planned = planned_length(checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Check that model and T_max fit, before the first step."""
        _alpha_buffer(runner.model)
        _check_batches(runner)
        units = ('epochs', 'iters')
        for change in changed_length(runner, self._planned, units):
            runner.logger.warning(
                f'{change}: alpha follows the present length from here on.'
            )
        by_epoch = self._changes_by_epoch(runner)
        length = runner.max_epochs if by_epoch else runner.max_iters
        if self.t_max is not None and self.t_max < length - 1:
            unit = 'epoch' if by_epoch else 'iteration'
            raise ValueError(
                f't_max={self.t_max} ends before the last {unit} '
                f'({length - 1}, counted from 0): use at least {length - 1}, '
                f'or None for {length}, so that alpha stays in [0, 1].'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Write alpha if it changes by epoch."""
        if self._changes_by_epoch(runner):
            self._write(runner)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None
    ) -> None:
        """Write alpha if it changes by iteration."""
        if not self._changes_by_epoch(runner):
            length = runner.max_iters // runner.max_epochs
            self._write(runner, batch_idx, length)

    def _changes_by_epoch(self, runner: Runner) -> bool:
        return self.by_epoch and not isinstance(
            runner.train_loop, IterBasedTrainLoop
        )

    def _write(
        self, runner: Runner, batch_idx: int = 0, epoch_length: int = 1
    ) -> None:
        now = progress(
            runner.epoch,
            runner.max_epochs,
            batch_idx,
            epoch_length,
            self.t_max,
        )
        alpha = self.schedule(now)
        _alpha_buffer(runner.model).fill_(alpha)
        runner.message_hub.update_scalar('train/alpha', alpha)


def _alpha_buffer(model: torch.nn.Module) -> torch.Tensor:
    model = unwrap(model)
    alpha = getattr(model, 'alpha', None)
    if not isinstance(alpha, torch.Tensor) or alpha.ndim:
        raise TypeError(
            'AlphaScheduleHook needs a model with a 0-dim buffer `alpha`, '
            f'such as mmlt.BBNClassifier, but {type(model).__name__} has '
            'none: change the model or remove the hook.'
        )
    return alpha


def _check_batches(runner: Runner) -> None:
    if not isinstance(unwrap(runner.model), BBNClassifier):
        return
    # A batch sampler of the user's own may well draw two halves.
    if type(runner.train_dataloader.batch_sampler) is BatchSampler:
        raise ValueError(
            'train_dataloader: mmlt.BBNClassifier trains on [B uniform | B '
            'reversed] images, but these batches come from one sampler: add '
            "batch_sampler=dict(type='mmlt.BilateralBatchSampler')"
        )
