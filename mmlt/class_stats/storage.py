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

import torch

from mmlt import compat

SHIPPED = Path(__file__).parent / 'shipped'


def read_json(path: str | Path) -> dict:
    """Read a JSON file of class statistics.

    Args:
        path (str | Path): The file, or the name of one that comes with mmlt.

    Raises:
        FileNotFoundError: If there is no such file or name.
        ValueError: If it is no JSON.
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
        return json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(
            f'class_stats: {str(path)!r} is no valid JSON ({error}); write '
            'it again with tools/analysis_tools/class_stats.py'
        ) from error


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


def find_in_checkpoint(checkpoint: dict) -> dict | None:
    """The class statistics in a checkpoint; None if it carries none.

    Args:
        checkpoint (dict): Of a run with ``ClassStatsHook``, which writes
            ``meta['class_stats']``, or with a loss that keeps them in its
            buffers.
    """
    content = checkpoint.get('meta', {}).get('class_stats')
    if content is not None:
        return content
    state = checkpoint.get('state_dict', {})
    for key, image_count in state.items():
        prefix = key.removesuffix('image_count')
        if prefix == key or not image_count.numel():
            continue
        instance_count = state.get(f'{prefix}instance_count')
        num_images = state.get(f'{prefix}num_images')
        if instance_count is not None and num_images is not None:
            return {
                'image_count': image_count.tolist(),
                'instance_count': instance_count.tolist() or None,
                'num_images': int(num_images),
            }
    return None
