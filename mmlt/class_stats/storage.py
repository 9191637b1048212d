"""The only reader and writer of class statistics, and of files of tensors.

Statistics are plain dicts here; :class:`mmlt.class_stats.ClassStats` checks
what they hold. They live in JSON files, some of which come with mmlt, and in
checkpoints.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import torch

from mmlt import compat

SHIPPED = Path(__file__).parent / 'shipped'


def read_json(path: str | Path) -> dict:
    """Read a JSON file of class statistics.

    Args:
        path (str | Path): The file, or the name of one that comes with mmlt.

    Raises:
        FileNotFoundError: If there is no such file or name.
        ValueError: If it is no JSON, or has a key twice.
    """
    shipped = SHIPPED / f'{path}.json'
    file = shipped if shipped.is_file() else Path(path)
    if not file.is_file():
        names = sorted(item.stem for item in SHIPPED.glob('*.json'))
        raise FileNotFoundError(
            f'class_stats: no file {str(path)!r}, nor are there shipped '
            f'statistics of that name (there are: {names}); write one with '
            'tools/analysis_tools/class_stats.py'
        )
    try:
        content = file.read_text(encoding='utf-8')
        return json.loads(content, object_pairs_hook=_unique_keys)
    except ValueError as error:
        raise ValueError(
            f'class_stats: {str(path)!r} is no valid JSON ({error}); write '
            'it again with tools/analysis_tools/class_stats.py'
        ) from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key {twice!r} stands there twice')
    return content


def write_json(path: str | Path, content: dict) -> None:
    """Write a JSON file, making its folder.

    A reader sees the old file or the new one, never a part: what an
    interrupted run leaves is no damaged file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        'w', encoding='utf-8', dir=path.parent, suffix='.tmp', delete=False
    ) as file:
        try:
            file.write(json.dumps(content) + '\n')
            file.close()
            # That of `open`; a temporary file is for its owner only.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(file.name, 0o666 & ~umask)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


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


def find_in_checkpoint(checkpoint: dict) -> tuple[str, Any] | None:
    """The class statistics in a checkpoint, and where they stand in it.

    Args:
        checkpoint (dict): Of a run with ``ClassStatsHook``, which writes
            ``meta['class_stats']``, or with a loss that keeps them in its
            buffers.

    Returns:
        tuple[str, Any] | None: None if it carries none.
    """
    content = (checkpoint.get('meta') or {}).get('class_stats')
    if content is not None:
        return "meta['class_stats']", content
    state = checkpoint.get('state_dict', {})
    for key, image_count in state.items():
        prefix = key.removesuffix('image_count')
        names = ('image_count', 'instance_count', 'num_images')
        buffers = [state.get(prefix + name) for name in names]
        if prefix == key or not all(map(torch.is_tensor, buffers)):
            continue
        if image_count.numel():
            image_count, instance_count, num_images = (
                buffer.tolist() for buffer in buffers
            )
            return f'state_dict[{key!r}]', {
                'image_count': image_count,
                'instance_count': instance_count or None,
                'num_images': num_images,
            }
    return None


def find_class_names(checkpoint: dict) -> tuple[str, ...] | None:
    """(C,) names of the classes that a checkpoint's model tells apart.

    Args:
        checkpoint (dict): MMEngine writes the names of the training set into
            ``meta['dataset_meta']``; else those of the statistics count.

    Returns:
        tuple[str, ...] | None: None if it holds none.
    """
    meta = checkpoint.get('meta') or {}
    for field in ('dataset_meta', 'class_stats'):
        content = meta.get(field)
        names = content.get('classes') if isinstance(content, dict) else None
        if names:
            return tuple(str(name) for name in names)
    return None
