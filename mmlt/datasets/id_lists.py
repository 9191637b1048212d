"""Lists of image ids that say which part of a data set to use."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from mmengine.fileio import exists, get


def select_images(
    data_list: list[dict],
    ids: str | os.PathLike | Sequence | None,
    data_root: str = '',
) -> list[dict]:
    """The images of a data set that a list of ids names.

    Args:
        data_list (list[dict]): Of a data set, with ``img_id``.
        ids (str | Sequence | None): A file, relative to ``data_root``, as in
            :func:`read_ids`, or the ids. File names also do: folders,
            suffixes and leading zeros do not matter. None selects all.
        data_root (str): Folder of the data set.

    Returns:
        list[dict]: In the order of ``data_list``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or an id is not in ``data_list``.
    """
    if ids is None:
        return data_list
    if isinstance(ids, (str, os.PathLike)):
        ids = read_ids(os.path.join(data_root, ids))
    else:
        ids = list(_flat(ids))
    wanted = {_plain_id(image): image for image in ids}
    if not wanted:
        raise ValueError('ids holds no image id; leave it out to use all')
    held = {_plain_id(info['img_id']) for info in data_list}
    missing = [image for key, image in wanted.items() if key not in held]
    if missing:
        raise ValueError(
            f'ids: {len(missing)} of {len(wanted)} are not among the '
            f'{len(data_list)} images of the data set, such as '
            f'{missing[:3]}; take the list of this data set and split'
        )
    return [info for info in data_list if _plain_id(info['img_id']) in wanted]


def read_ids(path: str) -> list[int | str]:
    """Read image ids or file names.

    A text file (``.txt``) holds one in each line. JSON (``.json``) and pickle
    files (``.pkl``) hold them in lists, arrays, and dicts such as class ->
    ids, however nested; of a dict with the key ``ids``, only that is read.
    Pickle files may hold plain containers and numpy arrays: nothing in them
    is executed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has another suffix, is damaged, or holds something
            else.
    """
    if not exists(path):
        raise FileNotFoundError(
            f'ids: {path} does not exist; write a list with '
            'tools/dataset_converters/multi_label_lt.py, or correct ids or '
            'data_root'
        )
    readers = {
        '.txt': lambda data: data.decode().split('\n'),
        '.json': json.loads,
        '.pkl': lambda data: _PlainUnpickler(io.BytesIO(data)).load(),
    }
    suffix = PurePosixPath(path).suffix
    if suffix not in readers:
        raise ValueError(
            f'ids must be a file that ends in one of {sorted(readers)}, got '
            f'{path}'
        )
    try:
        content = readers[suffix](get(path))
        if isinstance(content, Mapping) and 'ids' in content:
            content = content['ids']
        return list(_flat(content))
    # A damaged pickle can raise anything.
    except Exception as error:
        raise ValueError(
            f'ids: {path} is no list of image ids ({error}); give the ids as '
            'plain lists, or as a text file with one id in each line'
        ) from error


def _flat(content: Any) -> Iterator[int | str]:
    """All ids in nested containers."""
    if isinstance(content, (np.ndarray, np.generic)):
        content = content.tolist()
    if isinstance(content, Mapping):
        content = list(content.values())
    if isinstance(content, (list, tuple, set, frozenset)):
        for item in content:
            yield from _flat(item)
    elif isinstance(content, bytes):
        yield from _flat(content.decode('latin1'))
    elif isinstance(content, str):
        if content.strip():
            yield content.strip()
    elif isinstance(content, int) and not isinstance(content, bool):
        yield content
    else:
        raise ValueError(
            f'it holds {content!r}, which is neither a whole number nor a name'
        )


def _plain_id(image: int | str) -> int | str:
    """``9`` for ``train2017/000000000009.jpg``."""
    stem = PurePosixPath(str(image)).stem
    return int(stem) if stem.isdecimal() else stem


def _encode_latin1(text: str, encoding: str = 'latin1') -> bytes:
    """What ``_codecs.encode`` does in pickles of bytes."""
    return text.encode('latin1')


def _plain_globals() -> dict[tuple[str, str], Any]:
    array = np.zeros(1)
    found: dict[tuple[str, str], Any] = {
        ('_codecs', 'encode'): _encode_latin1,
        ('collections', 'OrderedDict'): OrderedDict,
        ('collections', 'defaultdict'): defaultdict,
        ('numpy', 'dtype'): np.dtype,
        ('numpy', 'ndarray'): np.ndarray,
    }
    plain = (bytes, dict, float, frozenset, int, list, set, str, tuple)
    # Python 2 and NumPy 1 have other names.
    for module in ('builtins', '__builtin__'):
        found |= {(module, kind.__name__): kind for kind in plain}
    for module in ('numpy.core', 'numpy._core'):
        found |= {
            (f'{module}.multiarray', '_reconstruct'): array.__reduce__()[0],
            (f'{module}.multiarray', 'scalar'): array[0].__reduce__()[0],
            (f'{module}.numeric', '_frombuffer'): array.__reduce_ex__(5)[0],
        }
    return found


class _PlainUnpickler(pickle.Unpickler):
    """Admit plain containers and numpy arrays only, of Python 2, too."""

    GLOBALS = _plain_globals()

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding='latin1')

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.GLOBALS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f'it asks for {module}.{name}, which is no plain container '
                'nor numpy array and might run code'
            ) from None
