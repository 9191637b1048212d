"""What runs left behind: folders of work, checkpoints, logits, detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from mmlt.class_stats.storage import load_tensors


@dataclass
class Run:
    """A run that the report shows.

    Args:
        name (str): What the page calls it.
        path (Path): What the command line said.
        checkpoint (Path | None): ``.pth`` of it.
        logits (Path | None): ``.pt`` of test images.
        held_out (Path | None): ``.pt`` of images that were held out, of a
            detector their boxes.
        detections (Path | None): ``.json``.
        missing (list[str]): What the page cannot show, and the cure.
    """

    name: str
    path: Path
    checkpoint: Path | None = None
    logits: Path | None = None
    held_out: Path | None = None
    detections: Path | None = None
    missing: list[str] = field(default_factory=list)


def find_run(text: str) -> Run:
    """Look at what a word of the command line names.

    Args:
        text (str): A path, or ``NAME=PATH``: a folder of work, or one of the
            files that lie in such folders.

    Raises:
        FileNotFoundError: If there is no such path.
        ValueError: If it is a file of another kind.
    """
    name, path = '', text
    if not Path(text).exists():
        name, _, path = text.partition('=') if '=' in text else ('', '', text)
    path = Path(path)
    run = Run(name or path.stem, path)
    if path.is_dir():
        run.checkpoint = _latest(path)
        for file in sorted(path.glob('*.pt'), key=_time):
            _sort(run, file)
        run.detections = _newest(path, '*.bbox.json')
    elif not path.is_file():
        raise FileNotFoundError(
            f'runs: no file or folder {str(path)!r}; give a work_dir, '
            'logits (.pt), detections (.json) or a checkpoint (.pth)'
        )
    elif path.suffix == '.pth':
        run.checkpoint = path
    elif path.suffix == '.pt':
        _sort(run, path)
    elif path.suffix == '.json':
        run.detections = path
    else:
        raise ValueError(
            f'runs: {str(path)!r} is neither a folder nor logits (.pt), '
            'detections (.json) or a checkpoint (.pth); write logits with '
            'tools/test.py --dump-logits'
        )
    return run


def _latest(folder: Path) -> Path | None:
    """The checkpoint that the run wrote last; the folder may have moved."""
    note = folder / 'last_checkpoint'
    if note.is_file():
        noted = folder / Path(note.read_text().strip()).name
        if noted.is_file():
            return noted
    return _newest(folder, '*.pth')


def _newest(folder: Path, pattern: str) -> Path | None:
    return max(folder.glob(pattern), key=_time, default=None)


def _time(path: Path) -> float:
    return path.stat().st_mtime


def _sort(run: Run, file: Path) -> None:
    """Whether logits are of held-out or of test images, by their split."""
    dump = load_tensors(file, 'logits')
    of_images = {'logits', 'labels', 'split'} <= set(dump)
    of_boxes = {'images', 'test_cfg', 'split'} <= set(dump)
    if (of_images or of_boxes) and 'train' in str(dump['split']):
        run.held_out = file
    elif of_images:
        run.logits = file
    elif file == run.path:
        raise ValueError(
            f'runs: {str(file)!r} holds no logits, or those of a detector '
            'that are not of held-out images; write them with '
            'tools/test.py --dump-logits'
        )


def check_same_samples(runs: Sequence[Run]) -> None:
    """Raise unless all logits are of the same images.

    Args:
        runs (Sequence[Run]): Of classifiers.

    Raises:
        ValueError: If labels or positions differ.
    """
    files = [run.logits for run in runs if run.logits is not None]
    if not files:
        return
    first = load_tensors(files[0], 'logits')
    for file in files[1:]:
        dump = load_tensors(file, 'logits')
        for key in ('sample_idx', 'labels'):
            mine, theirs = first.get(key), dump.get(key)
            if mine is None or theirs is None:
                continue
            if not torch.equal(mine, theirs):
                raise ValueError(
                    f'runs: {str(files[0])!r} and {str(file)!r} differ in '
                    f'{key}; test both on the same data'
                )
