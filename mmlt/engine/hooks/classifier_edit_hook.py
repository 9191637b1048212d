"""Validate and test with an edited classifier; train with the original."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from torch import Tensor, nn

from mmlt.checks import check_list
from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import ClassStatsReceiver
from mmlt.models.posthoc.edits import describe
from mmlt.models.posthoc.find import find_classifiers
from mmlt.registry import HOOKS, TASK_UTILS


@HOOKS.register_module()
class ClassifierEditHook(ClassStatsReceiver, Hook):
    """Edit the last linear layer for validation and test only.

    The edited weights are computed once an epoch, from the weights that are
    evaluated (those of an ``EMAHook``, too), and are in the model during the
    forward passes only. At any other time it holds the trained weights
    themselves: in training, and in every checkpoint that is saved.

    Args:
        edits (Sequence[dict]): ``mmlt.LogitAdjustment`` or ``mmlt.TauNorm``
            of :mod:`mmlt.models.posthoc.edits`, applied in this order.
        class_stats (ClassStats | dict | list | str | None): See
            :meth:`mmlt.class_stats.ClassStats.from_any`. Defaults to None:
            those of ``ClassStatsHook``, or in testing of the checkpoint.
        layers (Sequence[str] | None): Names of the layers, for models in
            which :func:`mmlt.models.posthoc.find.find_classifiers` does
            not find them. Defaults to None.

    Raises:
        ValueError: If there are no edits or one of them cannot be applied:
            in training before the first step.

    Example:
        >>> custom_hooks = [
        ...     dict(type='mmlt.ClassStatsHook'),
        ...     dict(
        ...         type='mmlt.ClassifierEditHook',
        ...         edits=[dict(type='mmlt.LogitAdjustment', tau=1.0)],
        ...     ),
        ... ]
    """

    def __init__(
        self,
        edits: Sequence[dict],
        class_stats: Any = None,
        layers: Sequence[str] | None = None,
    ) -> None:
        if isinstance(edits, (dict, str)) or not edits:
            raise ValueError(
                "edits must be a list such as [dict(type='mmlt.TauNorm', "
                f'tau=1.0)], got {edits!r}'
            )
        check_list('edits', edits, dict)
        self.edits = [TASK_UTILS.build(edit) for edit in edits]
        if layers is not None:
            check_list('layers', layers)
        self.layers = layers
        self._loaded_meta: dict = {}
        self._edited: list[tuple[nn.Module, Tensor, Tensor | None]] = []
        self._trained: list[tuple[nn.Module, Tensor, Tensor | None]] = []
        self.init_class_stats(class_stats)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Remember the checkpoint's statistics and former edits."""
        self._loaded_meta = checkpoint.get('meta', {})

    def before_train(self, runner) -> None:
        """Find out now what would else be wrong after an epoch."""
        # What was loaded is of another data set, maybe.
        self._loaded_meta = {}
        self._compute(runner)

    def before_val_epoch(self, runner) -> None:
        """Forget what was computed from other weights."""
        self._restore()
        self._edited = []

    def before_val_iter(self, runner, *args, **kwargs) -> None:
        """Put the edited weights in."""
        # Not in `before_val_epoch`, where EMAHook swaps the weights.
        self._edited = self._edited or self._compute(runner)
        self._trained = [_replace(*item) for item in self._edited]

    def after_val_iter(self, runner, *args, **kwargs) -> None:
        """Put the trained weights back."""
        self._restore()

    before_test_epoch = before_val_epoch
    before_test_iter = before_val_iter
    after_test_iter = after_val_iter

    def _restore(self) -> None:
        for item in reversed(self._trained):
            _replace(*item)
        self._trained = []

    def _compute(self, runner) -> list[tuple[nn.Module, Tensor, Tensor]]:
        self._check_edited_once(runner)
        model = runner.model
        # What ClassStatsHook gave, else what a checkpoint would carry: that
        # of the loaded one's meta or that in the buffers of a loss.
        stats = self.class_stats or ClassStats.from_checkpoint(
            dict(meta=self._loaded_meta, state_dict=model.state_dict())
        )
        edited = []
        for _, layer, num_classes in find_classifiers(model, self.layers):
            weight, bias = layer.weight.detach(), layer.bias
            bias = None if bias is None else bias.detach()
            for edit in self.edits:
                weight, bias = edit(weight, bias, num_classes, stats)
            edited.append((layer, weight, bias))
        return edited

    def _check_edited_once(self, runner) -> None:
        hooks = [hook for hook in runner.hooks if isinstance(hook, type(self))]
        if len(hooks) > 1:
            raise ValueError(
                f'there are {len(hooks)} ClassifierEditHooks; give one of '
                'them all the edits'
            )
        done = self._loaded_meta.get('classifier_edits', [])
        done = {each['type'] for each in done}
        for edit in self.edits:
            edit.check_model(runner.model)
            if describe(edit)['type'] in done:
                raise ValueError(
                    f'{type(edit).__name__} is written into the weights of '
                    'the loaded checkpoint already: test it without '
                    'ClassifierEditHook, or test the original checkpoint'
                )


def _replace(
    layer: nn.Module, weight: Tensor, bias: Tensor | None
) -> tuple[nn.Module, Tensor, Tensor | None]:
    """Exchange the layer's tensors; return what puts the old ones back."""
    old_bias = None if layer.bias is None else layer.bias.data
    old = layer, layer.weight.data, old_bias
    layer.weight.data = weight
    if bias is None:
        layer.bias = None
    elif layer.bias is None:
        layer.bias = nn.Parameter(bias, requires_grad=False)
    else:
        layer.bias.data = bias
    return old
