"""Edit the classifier that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import align
from mmlt.class_stats.storage import find_class_names

from .edits import BiasEdit, TauNorm, describe
from .find import find_classifiers


def edit_checkpoint(
    checkpoint: dict,
    model: nn.Module,
    edit: BiasEdit | TauNorm,
    stats: ClassStats | None = None,
    layers: Sequence[str] | None = None,
    force: bool = False,
) -> list[str]:
    """Edit ``checkpoint`` in place.

    Args:
        checkpoint (dict): With ``state_dict`` and ``meta``.
        model (nn.Module): Built from the config; its weights do not matter.
        edit (BiasEdit | TauNorm): What to do.
        stats (ClassStats | None): Defaults to those of the checkpoint. Put
            in the order of its classes, if both have names.
        layers (Sequence[str] | None): See
            :func:`~mmlt.models.posthoc.find_classifiers`.
        force (bool): Whether to repeat an edit.

    Returns:
        list[str]: Names of the edited layers.

    Raises:
        ValueError: If the checkpoint was edited so before, or does not fit
            the model, the statistics are of other classes, or the edit
            cannot be applied.
    """
    if 'state_dict' not in checkpoint:
        raise ValueError(
            'checkpoint has no state_dict; expected one that MMEngine wrote, '
            f'got {sorted(map(str, checkpoint))[:5]}'
        )
    state = checkpoint['state_dict']
    edit.check_model(model)
    record = describe(edit)
    done = checkpoint.setdefault('meta', {}).get('classifier_edits', [])
    if not force and any(each['type'] == record['type'] for each in done):
        raise ValueError(
            f'the checkpoint has had {record["type"]} before: {done}; edit '
            'the original, or repeat it with --force'
        )
    stats = stats or ClassStats.from_checkpoint(checkpoint)
    if stats is not None:
        classes = find_class_names(checkpoint)
        stats = align(stats, classes, 'edit_checkpoint', 'the checkpoint')
    new_state: dict[str, Any] = {}
    classifiers = find_classifiers(model, layers)
    for name, layer, num_classes in classifiers:
        weight = state.get(f'{name}.weight')
        if weight is None or weight.shape != layer.weight.shape:
            found = 'none' if weight is None else tuple(weight.shape)
            raise ValueError(
                f'{name}.weight has the shape {tuple(layer.weight.shape)} in '
                f'the model, but in the checkpoint: {found}; give the config '
                'that it was trained with'
            )
        weight, bias = edit(
            weight, state.get(f'{name}.bias'), num_classes, stats
        )
        if bias is not None and layer.bias is None:
            raise ValueError(
                f'{name} has no bias (bias=False in the config), and '
                f'{record["type"]} needs one: give a config that builds the '
                'layer with a bias, and test with that; or leave the '
                'checkpoint alone and test with mmlt.ClassifierEditHook'
            )
        new_state[f'{name}.weight'] = weight
        if bias is not None:
            new_state[f'{name}.bias'] = bias
    state.update(new_state)
    names = [name for name, *_ in classifiers]
    checkpoint['meta']['classifier_edits'] = [
        *done,
        {**record, 'layers': names},
    ]
    return names
