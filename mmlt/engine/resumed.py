"""How long a run is, and was meant to be when it was interrupted."""

from __future__ import annotations

import math

from mmengine.runner import IterBasedTrainLoop, Runner


def num_epochs(runner: Runner) -> int:
    """Passes over the training set, begun ones included."""
    if isinstance(runner.train_loop, IterBasedTrainLoop):
        return math.ceil(runner.max_iters / len(runner.train_dataloader))
    return runner.max_epochs


def planned_length(checkpoint: dict) -> dict[str, int]:
    """``max_epochs`` and ``max_iters`` of the run that wrote a checkpoint."""
    # RuntimeInfoHook overwrites them in the message hub before training.
    info = checkpoint.get('message_hub', {}).get('runtime_info', {})
    return {k: info[k] for k in ('max_epochs', 'max_iters') if k in info}


def changed_length(
    runner: Runner, planned: dict[str, int], units: tuple[str, ...]
) -> list[str]:
    """How a resumed run differs in length from what was planned, in words.

    Args:
        runner (Runner): Of the training.
        planned (dict[str, int]): See :func:`planned_length`.
        units (tuple[str, ...]): Of ``'epochs'`` and ``'iters'``, those to
            compare.
    """
    if not runner.iter:
        return []  # Nothing was resumed.
    now = {unit: getattr(runner, f'max_{unit}') for unit in units}
    before = {unit: planned.get(f'max_{unit}', now[unit]) for unit in units}
    return [
        f'The resumed training was meant for {before[unit]} {unit}, and now '
        f'is for {now[unit]}'
        for unit in units
        if before[unit] != now[unit]
    ]
