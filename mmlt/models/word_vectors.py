"""Vectors of class names, from a file of word vectors. C classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np


def read_word_vectors(path: str | Path, classes: Sequence[str]) -> np.ndarray:
    """The vector of each class, by its name.

    A name that is not in the file has the mean of its words' vectors, as in
    `ML-GCN <https://arxiv.org/abs/1904.03582>`_, section 4.1: ``'traffic
    light'`` or ``'traffic_light'`` that of "traffic" and "light". Capitals do
    not matter.

    Args:
        path (str | Path): A text file with a word and its numbers in each
            line, separated by blanks, as GloVe's; or ``.npz`` with ``names``
            (N,) and ``vectors`` (N, D).
        classes (Sequence[str]): (C,) names.

    Returns:
        np.ndarray: (C, D) float32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, or lacks a class.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'word_vectors: {path} does not exist; correct the path, or leave '
            'it out to tell classes apart by one-hot vectors'
        )
    names = [name.lower() for name in classes]
    words = {name: _words(name) for name in names}
    wanted = {*names, *(each for parts in words.values() for each in parts)}
    known = {}
    for word, row in _READERS.get(path.suffix, _read_text)(path, wanted):
        # The more frequent spelling comes first.
        known.setdefault(word, row)
    missing = [
        name
        for name in words
        if name not in known and not known.keys() >= {*words[name]}
    ]
    if missing:
        raise ValueError(
            f'word_vectors: {path} lacks {len(missing)} of {len(classes)} '
            f'classes: {missing[:5]}; add a line for each, or give an .npz '
            "with 'names' of the classes and their 'vectors'"
        )
    if len({row.shape for row in known.values()}) > 1:
        raise ValueError(
            f'word_vectors: the vectors of {path} differ in length; it must '
            'have a word and as many numbers in each line'
        )
    return np.stack(
        [
            known[name]
            if name in known
            else np.mean([known[word] for word in words[name]], axis=0)
            for name in names
        ]
    ).astype(np.float32)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r'[\s_/,()-]+', name) if word] or [name]


def _read_text(path: Path, wanted: set[str]) -> Iterator[tuple]:
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            word, *values = line.rstrip().split(' ')
            if word.lower() in wanted:
                where = f'line {number} of {path}'
                yield word.lower(), _vector(values, where)


def _read_npz(path: Path, wanted: set[str]) -> Iterator[tuple]:
    with np.load(path) as content:
        lacking = {'names', 'vectors'} - set(content)
        if lacking:
            raise ValueError(
                f'word_vectors: {path} lacks {sorted(lacking)}; it must hold '
                "'names' (N,) and 'vectors' (N, D)"
            )
        names, vectors = content['names'], content['vectors']
    if vectors.ndim != 2 or names.shape != vectors.shape[:1]:
        raise ValueError(
            f'word_vectors: {path} has {names.size} names, but vectors of '
            f'the shape {vectors.shape}; give one row for each name'
        )
    for name, vector in zip(names, vectors, strict=True):
        if str(name).lower() in wanted:
            yield str(name).lower(), _vector(vector, f'{name!r} in {path}')


_READERS = {'.npz': _read_npz}


def _vector(values: Sequence, where: str) -> np.ndarray:
    """(D,) float64; raises unless these are finite numbers."""
    try:
        vector = np.asarray(values, dtype=np.float64)
    except ValueError:
        vector = np.array([np.nan])
    if not vector.size or not np.isfinite(vector).all():
        raise ValueError(
            f'word_vectors: {where} is no vector of finite numbers; correct '
            'the file'
        )
    return vector
