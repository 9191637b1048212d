"""Train some parts of a model and freeze the rest."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from mmcv.cnn import is_norm
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmlt.checks import check_list, check_switch
from mmlt.engine.first_stage import (
    check_first_stage,
    random_parameters,
    shorten,
)
from mmlt.models.unwrap import unwrap
from mmlt.registry import HOOKS


@HOOKS.register_module()
class TrainablePartsHook(Hook):
    """Freeze all but the named parts; the second stage of BAGS and of cRT.

    Works with distributed training without ``find_unused_parameters``: the
    model is wrapped anew once it is frozen. Parameters that the model itself
    has frozen (``frozen_stages``) stay so, even in a named part.

    Args:
        trainable (Sequence[str]): Names of modules or parameters as in
            ``model.named_parameters()``, with ``*``, ``?`` and ``[...]`` as
            in the shell: ``'roi_head.bbox_head.fc_cls'``, in a cascade
            ``'roi_head.bbox_head.*.fc_cls'``.
        norm_eval (bool): Let the normalisation layers of frozen parts use
            and keep their running statistics. The code of cRT and LWS leaves
            them in training mode, so that they adapt to the sampler: False.
            Defaults to True.
        fresh (bool): Start the trainable parts anew, as cRT does, also if
            ``load_from`` has them. A resumed run goes on with its own.
            Defaults to False.

    Raises:
        ValueError: Before training, if a name fits no trainable parameter,
            or what is frozen has random values: nothing was loaded or resumed
            and no ``init_cfg`` of the model is ``Pretrained``.
        TypeError: If a switch is neither True nor False, or the model is
            sharded over the ranks.
        FileNotFoundError: Before training, if ``load_from`` does not exist.

    Example:
        >>> default_hooks = dict(
        ...     trainable_parts=dict(
        ...         type='mmlt.TrainablePartsHook',
        ...         trainable=['roi_head.bbox_head.fc_cls'],
        ...     )
        ... )
    """

    def __init__(
        self,
        trainable: Sequence[str],
        norm_eval: bool = True,
        fresh: bool = False,
    ) -> None:
        if isinstance(trainable, str) or not trainable:
            raise ValueError(
                "trainable must be a list such as ['head.fc'], got "
                f'{trainable!r}'
            )
        self.trainable = check_list('trainable', trainable)
        self.norm_eval = check_switch('norm_eval', norm_eval)
        self.fresh = check_switch('fresh', fresh)
        self._frozen: set[str] = set()
        self._frozen_norms: list[nn.Module] = []

    def before_run(self, runner) -> None:
        """Freeze, before the weights are initialised or loaded."""
        if not isinstance(runner.optim_wrapper, OptimWrapper):
            return  # Validation or test: there is nothing to train.
        check_first_stage(runner._load_from)
        model, wrapped = runner.model, is_model_wrapper(runner.model)
        if wrapped and not isinstance(model, DistributedDataParallel):
            raise TypeError(
                'TrainablePartsHook cannot freeze parts of a '
                f'{type(model).__name__}, whose parameters are sharded; '
                'use MMDistributedDataParallel'
            )
        self._freeze(runner, unwrap(model))
        if wrapped:
            # The wrapper in place waits for gradients that no longer come.
            runner.model = runner.wrap_model(
                runner.cfg.get('model_wrapper_cfg'), model.module
            )

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Say which parameters the checkpoint does not fill, and why.

        A new classifier is meant to start afresh; a frozen part is not.
        """
        if not isinstance(runner.optim_wrapper, OptimWrapper):
            return
        state = checkpoint.get('state_dict', checkpoint)
        if self.fresh and not runner._resume:
            self._forget(state)
        # The prefix of torch.compile stays: MMEngine loads by these names.
        content = {
            name.removeprefix('module.'): tuple(value.shape)
            for name, value in state.items()
        }
        new, lost = [], []
        for name, parameter in runner.model.named_parameters():
            name, shape = name.removeprefix('module.'), tuple(parameter.shape)
            if content.get(name) != shape:
                found = content.get(name, 'absent')
                text = f'{name} {shape}, in the checkpoint {found}'
                (new if parameter.requires_grad else lost).append(text)
        if new:
            runner.logger.warning(
                f'Trained afresh, not loaded: {"; ".join(new)}'
            )
        if lost:
            runner.logger.warning(
                'Frozen at random values, because the checkpoint does not '
                f'fit: {shorten(lost)}'
            )

    def before_train(self, runner) -> None:
        """Stop if frozen parts have random values."""
        lost = random_parameters(runner, self._frozen)
        if lost:
            raise ValueError(
                'trainable: the parts that are not named would stay at '
                f'random values: {shorten(lost)}; give the model whose parts '
                'are to be trained by load_from, as in --cfg-options '
                'load_from=PATH, and begin without --resume'
            )

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        """Keep frozen norms in evaluation mode."""
        # The loops call `model.train()` after `before_train_epoch`.
        for norm in self._frozen_norms:
            norm.eval()

    def _forget(self, state: dict) -> None:
        """Take the trainable parts out of what is about to be loaded."""
        for name in [*state]:
            plain = name.removeprefix('module.').removeprefix('_orig_mod.')
            if any(_fits(pattern, plain) for pattern in self.trainable):
                del state[name]

    def _freeze(self, runner, model: nn.Module) -> None:
        parameters = dict(model.named_parameters())
        chosen = [n for n, p in parameters.items() if p.requires_grad]
        for pattern in self.trainable:
            if not any(_fits(pattern, name) for name in chosen):
                raise ValueError(_no_match(pattern, parameters))
        kept = [
            name
            for name in chosen
            if any(_fits(pattern, name) for pattern in self.trainable)
        ]
        for name in set(parameters).difference(kept):
            parameters[name].requires_grad_(False)
        self._frozen = set(chosen).difference(kept)
        self._frozen_norms = [
            module
            for name, module in model.named_modules()
            if self.norm_eval
            and is_norm(module)
            and not any(_fits(pattern, name) for pattern in self.trainable)
        ]
        number = sum(parameters[name].numel() for name in kept)
        total = sum(parameter.numel() for parameter in parameters.values())
        runner.logger.info(
            f'Training {number:,} of {total:,} parameters '
            f'({number / total:.2%}): {shorten(kept)}'
        )


def _fits(pattern: str, name: str) -> bool:
    """Whether the pattern is that of ``name`` or of a module around it."""
    while name:
        if fnmatchcase(name, pattern):
            return True
        name = name.rpartition('.')[0]
    return False


def _no_match(pattern: str, parameters: dict[str, nn.Parameter]) -> str:
    frozen = [name for name in parameters if _fits(pattern, name)]
    if frozen:
        return (
            f'trainable: {pattern!r} fits only parameters that the model '
            f'itself freezes: {shorten(frozen)}; lower its frozen_stages'
        )
    modules = {name.rpartition('.')[0] for name in parameters}
    names = sorted(modules.union(parameters))
    close = difflib.get_close_matches(pattern, names, n=5, cutoff=0.3)
    return (
        f'trainable: {pattern!r} fits no parameter of the model; close to it '
        f'are {close}'
    )
