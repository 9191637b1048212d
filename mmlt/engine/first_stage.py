"""What a second stage begins with: the model of the first."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from mmengine.model import PretrainedInit
from torch import nn

from mmlt.models.unwrap import unwrap


def check_first_stage(load_from: str | None) -> None:
    """Raise if the checkpoint of the first stage does not exist.

    Raises:
        FileNotFoundError: Says how to give it.
    """
    # A path with a protocol is for MMEngine to resolve.
    if load_from is None or '://' in load_from or Path(load_from).is_file():
        return
    raise FileNotFoundError(
        f'load_from={load_from!r}, the model whose parts are to be trained, '
        'does not exist: train that one first, or give its checkpoint with '
        '--cfg-options load_from=PATH'
    )


def random_parameters(runner: Any, names: Iterable[str]) -> list[str]:
    """Those of the parameters that nothing has given a value.

    Nothing was loaded or resumed, and no ``Pretrained`` initialises them. The
    tools of MMDetection and MMPretrain clear ``load_from`` when they are to
    resume, also if there is nothing to resume.
    """
    if runner._has_loaded:
        return []
    return sorted(_not_pretrained(unwrap(runner.model), set(names)))


def shorten(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    more = f' and {len(names) - 8} more' if len(names) > 8 else ''
    return ', '.join([*names][:8]) + more


def _not_pretrained(model: nn.Module, names: set[str]) -> set[str]:
    for prefix, module in model.named_modules():
        config = getattr(module, 'init_cfg', None) or []
        for each in [config] if isinstance(config, dict) else config:
            if each['type'] in ('Pretrained', PretrainedInit):
                start = f'{prefix}.' if prefix else ''
                names = {n for n in names if not n.startswith(start)}
    return names
