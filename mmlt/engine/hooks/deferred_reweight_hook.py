"""Class weights from an epoch or iteration on (deferred re-weighting)."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmlt.checks import check_size
from mmlt.models.losses.base import ElementLoss
from mmlt.models.unwrap import unwrap
from mmlt.registry import HOOKS


@HOOKS.register_module()
class DeferredReweightHook(Hook):
    """All class weights are ones until ``begin``.

    Deferred re-weighting (DRW) of `LDAM <https://arxiv.org/abs/1906.07413>`_,
    section 3.3: train without weights, then, after the learning rate has
    fallen, with them. It goes by the progress of the training alone, so that
    a resumed run is an uninterrupted one. It switches every loss of mmlt that
    has class weights, in whatever head it is: ``class_weight`` of the softmax
    losses and of ``mmlt.MultiLabelLDAMLoss``, ``mmlt.ReweightedBCELoss`` and
    ``mmlt.ClassBalancedFocalLoss``.

    Args:
        begin (int): First epoch with class weights, counted from 0; the
            first iteration, in an iteration-based loop. 160 of 200 epochs in
            the paper.

    Raises:
        TypeError: If ``begin`` is no whole number; before training, if no
            loss of the model has class weights.
        ValueError: If ``begin`` is negative.

    Example:
        >>> loss = dict(
        ...     type='mmlt.ClassWeightedCELoss',
        ...     class_weight='effective_number',
        ... )
        >>> default_hooks = dict(
        ...     reweight=dict(type='mmlt.DeferredReweightHook', begin=160)
        ... )
    """

    def __init__(self, begin: int) -> None:
        self.begin = check_size('begin', begin, least=0)
        self._losses: list[ElementLoss] = []

    def before_train(self, runner: Runner) -> None:
        """Find the losses, before the first step."""
        modules = list(unwrap(runner.model).modules())
        losses = [each for each in modules if isinstance(each, ElementLoss)]
        self._losses = [each for each in losses if each.can_defer]
        if not self._losses:
            names = sorted({type(each).__name__ for each in losses})
            raise TypeError(
                'DeferredReweightHook: no loss of the model has class '
                f'weights (losses of mmlt in it: {names or "none"}); take '
                "dict(type='mmlt.ClassWeightedCELoss'), or give another "
                "softmax loss class_weight='effective_number'"
            )
        by_iteration = isinstance(runner.train_loop, IterBasedTrainLoop)
        end = runner.max_iters if by_iteration else runner.max_epochs
        if self.begin >= end:
            unit = 'iteration' if by_iteration else 'epoch'
            runner.logger.warning(
                f'DeferredReweightHook: begin={self.begin} is beyond the last '
                f'{unit}, {end - 1}: class weights stay off.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Switch, in an epoch-based loop."""
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            self._switch(runner.epoch >= self.begin)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None
    ) -> None:
        """Switch, in an iteration-based loop."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            self._switch(runner.iter >= self.begin)

    def _switch(self, reweights: bool) -> None:
        for loss in self._losses:
            loss.reweights.fill_(reweights)
