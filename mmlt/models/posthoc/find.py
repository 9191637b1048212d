"""Find the last linear layers of stock models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mmcv.cnn import Conv2d, Linear
from torch import nn

from mmlt.models.unwrap import unwrap

from .checks import check_layer

# Where the heads of MMDetection and MMPretrain keep their last layers; two
# layers where the head averages the logits of two tokens.
STOCK_LAYERS = (
    ('fc_cls',),
    ('fc',),
    ('fc2',),
    ('layers.head', 'layers.head_dist'),
    ('head', 'dist_head'),
)


class Classifier(NamedTuple):
    """The last linear layer of a model."""

    name: str
    layer: nn.Module
    num_classes: int


def find_classifiers(
    model: nn.Module, layers: Sequence[str] | None = None
) -> list[Classifier]:
    """The last linear layers: one, or one for each stage of a cascade.

    Args:
        model (nn.Module): Stock MMPretrain classifier, two-stage MMDetection
            detector, or a head of either; wrapped for distributed training
            or test-time augmentation or not.
        layers (Sequence[str] | None): Names as in ``model.named_modules()``
            for other models. Defaults to None: search.

    Raises:
        ValueError: If nothing is found, with the linear layers there are, or
            if a layer cannot be edited.
    """
    model = unwrap(model)
    if layers is None:
        layers = _stock_layers(model)
    elif isinstance(layers, str) or not layers:
        raise ValueError(
            f'layers must be a list of module names, got {layers!r}'
        )
    modules = dict(model.named_modules())
    missing = [name for name in layers if name not in modules]
    if missing or not layers:
        linear = [
            f'{name} {tuple(module.weight.shape)}'
            for name, module in modules.items()
            if _is_linear(module)
        ]
        what = f'no module {missing[0]!r}' if missing else 'no classifier'
        raise ValueError(
            f'layers: {what} found in {type(model).__name__}; name the last '
            f'linear layer, layers=[...], out of {linear[-20:]}'
        )
    return [_as_classifier(name, modules) for name in layers]


def _stock_layers(model: nn.Module) -> list[str]:
    heads = {}
    for name in ('head', 'roi_head.bbox_head', 'bbox_head'):
        head = model
        for part in name.split('.'):
            head = getattr(head, part, None)
        if isinstance(head, nn.ModuleList):
            heads.update({f'{name}.{i}.': each for i, each in enumerate(head)})
        elif isinstance(head, nn.Module):
            heads[f'{name}.'] = head
    return _last_layers(heads) or _last_layers({'': model})


def _last_layers(heads: dict[str, nn.Module]) -> list[str]:
    found = []
    for prefix, head in heads.items():
        modules = dict(head.named_modules())
        # A StackedLinearClsHead has its last layer in a list of blocks.
        blocks = modules.get('layers')
        stacked = isinstance(blocks, nn.ModuleList)
        last = ((f'layers.{len(blocks) - 1}.fc',),) if stacked else ()
        for names in (*STOCK_LAYERS, *last):
            present = [prefix + name for name in names if name in modules]
            if present:
                found += present
                break
    return found


def _as_classifier(name: str, modules: dict[str, nn.Module]) -> Classifier:
    layer = modules[name]
    if not _is_linear(layer):
        raise ValueError(
            f'{name} is a {type(layer).__name__}; only a plain linear layer '
            'or 1x1 convolution can be edited'
        )
    num_classes, owner = None, name
    while owner and not isinstance(num_classes, int):
        owner = owner.rpartition('.')[0]
        num_classes = getattr(modules[owner], 'num_classes', None)
    if not isinstance(num_classes, int):
        num_classes = len(layer.weight)
    try:
        check_layer(layer.weight, layer.bias, num_classes)
    except ValueError as error:
        raise ValueError(f'{name} cannot be edited: {error}') from error
    return Classifier(name, layer, num_classes)


def _is_linear(module: nn.Module) -> bool:
    # A subclass may normalise the weight, which an edit would not survive.
    if type(module) in (nn.Linear, Linear):
        return True
    plain = type(module) in (nn.Conv2d, Conv2d)
    return plain and module.kernel_size == (1, 1) and module.groups == 1
