"""Lists of image ids that say which part of a data set to use."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import re
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
    is executed. A ``.pkl`` may also be a text file with one number in each
    line, as that of COCO-MLT is.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has another suffix, is damaged, or holds something
            else, such as a split of the classes or the ground truth.
    """
    if not exists(path):
        raise FileNotFoundError(
            f'ids: {path} does not exist; write a list with '
            'tools/dataset_converters/multi_label_lt.py, or correct ids or '
            'data_root'
        )
    readers = {
        '.txt': _read_text,
        '.json': json.loads,
        '.pkl': _read_pickle,
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


_CONTAINERS = (Mapping, list, tuple, set, frozenset, np.ndarray)
# Of classes, in a file that lies beside lists of ids.
_SPLITS = {'head', 'middle', 'medium', 'tail', 'many', 'few'}


def _flat(content: Any, seen: dict[int, Any] | None = None) -> Iterator:
    """All ids in nested containers; each container once."""
    seen = {} if seen is None else seen
    if isinstance(content, (*_CONTAINERS, _Recorded)):
        # Containers that hold each other many times over have no end.
        if id(content) not in seen:
            seen[id(content)] = content
            for item in _items(content):
                yield from _flat(item, seen)
    elif isinstance(content, np.generic):
        yield from _flat(content.item(), seen)
    elif isinstance(content, bytes):
        yield from _flat(content.decode('latin1'), seen)
    elif isinstance(content, str):
        if content.strip():
            yield content.strip()
    elif isinstance(content, int) and not isinstance(content, bool):
        yield content
    else:
        raise ValueError(
            f'ids holds {repr(content)[:80]}, which is neither a whole number '
            'nor a name'
        )


def _items(content: Any) -> list:
    """What a container holds, unless that is known to be no ids."""
    if isinstance(content, Mapping):
        if content and {str(key).lower() for key in content} <= _SPLITS:
            raise ValueError(
                f'it has the keys {list(content)}: a split of the classes'
            )
        items = list(content.values())
    elif isinstance(content, np.ndarray):
        items = content.ravel().tolist()
    elif isinstance(content, _Recorded):
        items = _array_items(content)
    else:
        items = list(content)
    if len(items) > 2 and all(type(x) is int and 0 <= x <= 1 for x in items):
        raise ValueError(
            f'it holds {len(items)} numbers that are 0 or 1: the ground truth'
        )
    return items


def _plain_id(image: int | str) -> int | str:
    """``9`` for ``train2017/000000000009.jpg``."""
    stem = PurePosixPath(str(image)).stem
    return int(stem) if stem.isdecimal() else stem


def _read_text(data: bytes) -> list[str]:
    return data.decode().split('\n')


# 9, 2008_000002.jpg or train2017/000000000009.jpg; no pickle has such lines.
_NUMBER_LINE = re.compile(rb'([\w-]+/)*\d[\d_]*(\.\w+)?')


def _read_pickle(data: bytes) -> Any:
    """The content, with :class:`_Recorded` in the place of arrays."""
    lines = data.split()
    if lines and all(map(_NUMBER_LINE.fullmatch, lines)):
        return _read_text(data)
    return _PlainUnpickler(io.BytesIO(data)).load()


class _Recorded:
    """What a pickle calls something of numpy with, and nothing done.

    NumPy believes what a pickle says about its objects: a forged one reads
    foreign memory. So arrays are made in :func:`_array_items` instead.
    """

    __slots__ = ('args', 'name', 'state')

    def __init__(self, name: str, args: tuple = ()) -> None:
        self.name = name
        self.args = args
        self.state: Any = None

    def __call__(self, *args: Any) -> Any:
        return _MAKERS.get(self.name, _Recorded)(self.name, args)

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _encode(name: str, args: tuple) -> bytes:
    """What ``_codecs.encode`` does in pickles of bytes."""
    return args[0].encode('latin1')


# Called with the name and the arguments, like `_Recorded`.
_MAKERS: dict[str, Any] = {
    'OrderedDict': lambda name, args: dict(*args),
    'bytes': lambda name, args: b'',
    # Without its factory, which makes what is missing.
    'defaultdict': lambda name, args: {},
    'encode': _encode,
    'frozenset': lambda name, args: frozenset(*args),
    'set': lambda name, args: set(*args),
}


def _array_items(array: _Recorded) -> list:
    """The items of an array or scalar of numpy, after checks.

    Raises:
        ValueError: If it is another object, or is not what it says it is.
    """
    try:
        if array.name == '_frombuffer':
            data, dtype, shape, order = array.args
        elif array.name == '_reconstruct':
            shape, dtype, is_fortran, data = array.state[-4:]
            order = 'F' if is_fortran else 'C'
        elif array.name == 'scalar':
            (dtype, data), shape, order = array.args, (), 'C'
        else:
            raise ValueError('it is no array')
        code, *_ = dtype.args
        state = dtype.state or (3, '<', None, None, None, -1, -1, 0)
        _, byteorder, subdtype, names, fields, itemsize, *_ = state
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f'its {array.name} is damaged: {error}') from error
    if not (
        dtype.name == 'dtype'
        and subdtype is names is fields is None
        and isinstance(code, str)
        and re.fullmatch('[biufSU][1-9][0-9]{0,8}|O[0-9]?', code)
    ):
        raise ValueError('its array has fields, or is of no plain dtype')
    if any(type(size) is not int or size < 0 for size in shape):
        raise ValueError('its array has a damaged shape')
    count = math.prod(shape)
    if code[0] == 'O':
        if not isinstance(data, list) or len(data) != count:
            raise ValueError(f'its array of {count} objects is damaged')
        return data
    if isinstance(data, str):
        # Python 2.
        data = data.encode('latin1')
    if byteorder not in ('<', '>', '|') or order not in ('C', 'F'):
        raise ValueError('its array has a damaged order')
    plain_dtype = np.dtype(byteorder + code)
    if itemsize not in (-1, plain_dtype.itemsize) or (
        count * plain_dtype.itemsize != len(data)
    ):
        raise ValueError(
            f'its array of {count} items of the dtype {code!r} has '
            f'{len(data)} bytes'
        )
    if code[0] == 'U':
        # NumPy makes text of any number; this raises for what is none.
        bytes(data).decode('utf-32-be' if byteorder == '>' else 'utf-32-le')
    items = np.frombuffer(data, plain_dtype).reshape(shape, order=order)
    return items.ravel().tolist()


def _plain_globals() -> set[tuple[str, str]]:
    found = {
        ('_codecs', 'encode'),
        ('collections', 'OrderedDict'),
        ('collections', 'defaultdict'),
        ('numpy', 'dtype'),
        ('numpy', 'ndarray'),
    }
    plain = (bytes, dict, float, frozenset, int, list, set, str, tuple)
    # Python 2 and NumPy 1 have other names.
    for module in ('builtins', '__builtin__'):
        found |= {(module, kind.__name__) for kind in plain}
    for module in ('numpy.core', 'numpy._core'):
        found |= {
            (f'{module}.multiarray', '_reconstruct'),
            (f'{module}.multiarray', 'scalar'),
            (f'{module}.numeric', '_frombuffer'),
        }
    return found


# That in Python: the one in C makes its table of references as large as a
# number in the file, and can so be made to take all memory.
class _PlainUnpickler(pickle._Unpickler):
    """Admit plain containers and numpy arrays only, of Python 2, too."""

    GLOBALS = _plain_globals()
    # A bytearray likewise; bytes are as long as what is there.
    dispatch = pickle._Unpickler.dispatch | {
        pickle.BYTEARRAY8[0]: pickle._Unpickler.load_binbytes8
    }

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding='latin1')

    def find_class(self, module: str, name: str) -> _Recorded:
        if (module, name) in self.GLOBALS:
            return _Recorded(name)
        raise pickle.UnpicklingError(
            f'it asks for {module}.{name}, which is no plain container nor '
            'numpy array and might run code'
        )
