"""Read checkpoints and other files of tensors."""

from __future__ import annotations

from pathlib import Path

import torch

from mmlt import compat
from mmlt.class_stats import ClassStats


def load_tensors(path: str | Path, name: str = 'checkpoint') -> dict:
    """Load a dict onto the CPU, without executing what the file holds.

    Args:
        path (str | Path): What ``torch.save`` wrote.
        name (str): The argument that errors are about.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, or holds something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{name}: no file {str(path)!r}')
    # Loading by MMEngine may have taken back what compat allows.
    compat.apply()
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # damaged files raise whatever comes first
        raise ValueError(
            f'{name}: {str(path)!r} cannot be read: {error}'
        ) from error
    if not isinstance(content, dict):
        raise ValueError(
            f'{name}: {str(path)!r} holds a {type(content).__name__}, '
            'expected a dict'
        )
    return content


def stats_of_checkpoint(checkpoint: dict) -> ClassStats | None:
    """The class statistics that a checkpoint carries.

    Args:
        checkpoint (dict): Of a run with ``ClassStatsHook``, which writes
            ``meta['class_stats']``, or with a loss that keeps them in its
            buffers.
    """
    content = checkpoint.get('meta', {}).get('class_stats')
    if content is not None:
        return ClassStats.from_dict(content)
    state = checkpoint.get('state_dict', {})
    for key, image_count in state.items():
        prefix = key.removesuffix('image_count')
        if prefix == key or not image_count.numel():
            continue
        instance_count = state.get(f'{prefix}instance_count')
        num_images = state.get(f'{prefix}num_images')
        if instance_count is not None and num_images is not None:
            return ClassStats(
                image_count.tolist(),
                instance_count.tolist() or None,
                int(num_images),
            )
    return None


def load_class_stats(path: str | Path) -> ClassStats:
    """Read class statistics from a JSON file or a checkpoint.

    Args:
        path (str | Path): Of ``tools/analysis_tools/class_stats.py``, or a
            checkpoint (``.pth``).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds none.
    """
    if Path(path).suffix != '.pth':
        return ClassStats.from_json(path)
    stats = stats_of_checkpoint(load_tensors(path, 'class_stats'))
    if stats is None:
        raise ValueError(
            f'class_stats: {str(path)!r} holds none; give the JSON that '
            'tools/analysis_tools/class_stats.py writes'
        )
    return stats
