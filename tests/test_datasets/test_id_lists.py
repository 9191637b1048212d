import json
import os
import pickle
import struct
from collections import OrderedDict, defaultdict

import numpy as np
import pytest

from mmlt.datasets.id_lists import read_ids, select_images

# Two int64 of an array that Python 2 and NumPy 1 wrote: 9 and 255.
PYTHON2_ARRAY = (
    b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b'
    b'\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02i8K\x00K\x01\x87R(K\x03U\x01<'
    b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10'
    + struct.pack('<2q', 9, 255)
    + b'tb'
)


class Code:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Forged:
    """Pickled as a call of ``function``, and a state."""

    def __init__(self, function, args, state):
        self.call = function, args, state

    def __reduce__(self):
        return self.call


PLAIN = (3, '<', None, None, None, -1, -1, 0)


def forged_array(
    shape=(2,), data=bytes(16), code='i8', state=PLAIN, is_fortran=False
):
    dtype = Forged(np.dtype, (code, False, True), state)
    return Forged(
        np.zeros(1).__reduce__()[0],
        (np.ndarray, (0,), b'b'),
        (1, shape, dtype, is_fortran, data),
    )


def images(*ids):
    return [{'img_id': image} for image in ids]


@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize(
    'content',
    [
        [9, 255],
        (9, {255}),
        np.array([9, 255]),
        [np.int64(9), np.array(255, dtype=np.int32)],
        {'person': [9, 255], 'toaster': np.array([9])},
        OrderedDict(a=frozenset({9}), b=np.array([[255, 9]])),
        defaultdict(list, {3: [9], 4: [[255], []]}),
        np.array([[9], [9, 255]], dtype=object),
    ],
    ids=lambda content: type(content).__name__,
)
def test_pickles_of_plain_containers(tmp_path, content, protocol):
    path = tmp_path / 'img_id.pkl'
    data = pickle.dumps(content, protocol)
    for name in (b'numpy.core', b'numpy._core'):
        # names of NumPy 1 and 2; lengths are written from protocol 4 on
        if protocol < 4:
            data = data.replace(b'numpy._core', b'numpy.core')
            data = data.replace(b'numpy.core', name)
        path.write_bytes(data)
        assert set(read_ids(str(path))) == {9, 255}


@pytest.mark.parametrize(
    ('data', 'expected'),
    [
        (b"(dp0\nS'person'\np1\n(lp2\nI9\naL255L\nas.", {9, 255}),
        (b"(lp0\nS'2008_000002.jpg'\np1\na.", {'2008_000002.jpg'}),
        (b'\x80\x02c__builtin__\nset\n]K\x09a\x85R.', {9}),
        (b'\x80\x02' + PYTHON2_ARRAY + b'.', {9, 255}),
    ],
)
def test_pickles_of_python_2(tmp_path, data, expected):
    path = tmp_path / 'img_id.pkl'
    path.write_bytes(data)
    assert set(read_ids(str(path))) == expected


@pytest.mark.parametrize('protocol', [0, 2, 4])
@pytest.mark.parametrize(
    ('function', 'args', 'name'),
    [
        (os.system, ('touch {}',), r'(posix|nt)\.system'),
        (eval, ('open("{}", "w")',), r'(builtins|__builtin__)\.eval'),
        (getattr, ([], 'append'), r'(builtins|__builtin__)\.getattr'),
        (np.load, ('{}',), r'numpy\.load'),
    ],
)
def test_pickle_with_code(tmp_path, function, args, name, protocol):
    made = tmp_path / 'made'
    args = [arg.format(made) if isinstance(arg, str) else arg for arg in args]
    path = tmp_path / 'class_freq.pkl'
    content = {'ids': [9], 'more': Code(function, *args)}
    path.write_bytes(pickle.dumps(content, protocol))
    words = rf'ids: .*class_freq\.pkl .*asks for {name}, .* run code.*; give'
    with pytest.raises(ValueError, match=words):
        read_ids(str(path))
    assert not made.exists()


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('a.txt', '2008_000002\n\n 000009.jpg \n'),
        ('a.json', '["2008_000002", "000009.jpg"]'),
        ('a.json', '{"cat": ["000009.jpg"], "dog": ["2008_000002"]}'),
        ('a.json', '{"ids": ["000009.jpg", "2008_000002"], "seed": 3}'),
    ],
)
def test_text_and_json(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    held = images('2007_1', '2008_000002', '9')
    assert select_images(held, name, str(tmp_path)) == held[1:]
    # an absolute path does not start at data_root
    assert select_images(held, str(tmp_path / name), 'data') == held[1:]


@pytest.mark.parametrize(
    'ids',
    [
        [31, 9],
        np.array([9, 31]),
        ['train2017/000000000031.jpg', '000000000009'],
        [b'31', 9],
    ],
)
def test_selects_images_in_their_order(ids):
    held = images(9, 25, 31)
    assert select_images(held, ids) == [held[0], held[2]]
    assert select_images(held, None) is held


def test_ids_that_are_not_there():
    words = r'ids: 2 of 3 are not among the 2 images .* \[7, 8\]; take'
    with pytest.raises(ValueError, match=words):
        select_images(images(9, 25), [9, 7, 8])
    with pytest.raises(ValueError, match=r'ids holds no image id'):
        select_images(images(9, 25), [])


@pytest.mark.parametrize(
    ('name', 'data', 'words'),
    [
        ('a.json', b'[1, 2', r'a\.json is no list of image ids \(Expecting'),
        ('a.json', b'[1, 2.5]', r'holds 2\.5, which is neither'),
        ('a.json', b'{"person": true}', r'holds True, which is neither'),
        ('a.json', b'null', r'holds None'),
        ('a.pkl', b'\x80\x02]K\x09', r'a\.pkl is no list of image ids'),
        ('a.pkl', b'9\nx\n', r'a\.pkl is no list of image ids'),
        ('a.txt', b'\xff\xfe', r'a\.txt is no list of image ids'),
        ('a.npy', b'', r"ends in one of \['\.json', '\.pkl', '\.txt'\]"),
    ],
)
def test_other_files(tmp_path, name, data, words):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ValueError, match=words):
        read_ids(str(path))


@pytest.mark.parametrize(
    ('array', 'words'),
    [
        # Fields that lie elsewhere, or are called objects.
        (
            forged_array(
                code='V8',
                state=(3, '|', None, ('a',), {'a': (np.dtype('i8'), 2**40)},
                       8, 1, 16),
            ),
            'fields, or is of no plain dtype',
        ),
        (
            forged_array(
                state=(3, '<', None, ('a',), {'a': (np.dtype('O'), 0)},
                       8, 8, 27),
            ),
            'fields, or is of no plain dtype',
        ),
        (
            forged_array(state=(3, '<', ('i8', (2,)), None, None, 8, 8, 0)),
            'fields, or is of no plain dtype',
        ),
        (forged_array(code='M8'), 'no plain dtype'),
        (forged_array(code='i0'), 'no plain dtype'),
        (forged_array(code='U0', shape=(10**15,), data=b''), 'no plain dtype'),
        (forged_array(code=8), 'no plain dtype'),
        (forged_array(code='i3', data=bytes(6)), 'i3'),
        (forged_array(state=(3, '<', None, None, None, 999, 8, 0)), '16 byt'),
        (forged_array(state=(3, '?', None, None, None, -1, -1, 0)), 'order'),
        (forged_array(state=(3,)), 'damaged'),
        (forged_array(state=7), 'damaged'),
        # What is pointed to is not there.
        (forged_array(code='O'), 'array of 2 objects is damaged'),
        (forged_array(code='O', data=[9]), 'array of 2 objects is damaged'),
        (forged_array(shape=(2**40,)), '1099511627776 items .* 16 bytes'),
        (forged_array(shape=(2**62, 4), data=b''), 'has 0 bytes'),
        (forged_array(shape=(-2,)), 'damaged shape'),
        (forged_array(shape=(-1, -2)), 'damaged shape'),
        (forged_array(shape=(True, 2)), 'damaged shape'),
        (forged_array(shape=2), 'not iterable'),
        (forged_array(shape=(1,) * 99, data=bytes(8)), 'dimension'),
        (forged_array(data=bytes(15)), '2 items .* 15 bytes'),
        (forged_array(data=None), 'NoneType'),
        (
            forged_array(code='U2', data=b'\xff' * 16),
            'code point not in range',
        ),
        (
            Forged(np.float64(1).__reduce__()[0], (np.dtype('i8'), b''), None),
            'has 0 bytes',
        ),
        (
            Forged(np.zeros(1).__reduce_ex__(5)[0], (b'9',), None),
            '_frombuffer is damaged',
        ),
        (
            Forged(np.zeros(1).__reduce__()[0], (np.ndarray, (9,), 'b'), None),
            '_reconstruct is damaged',
        ),
        (Forged(np.dtype, ('i8',), (3, '<')), 'dtype is damaged'),
        (np.ndarray, 'ndarray is damaged: it is no array'),
        (dict, 'dict is damaged'),
    ],
)  # fmt: skip
@pytest.mark.parametrize('protocol', [2, 4])
def test_forged_arrays(tmp_path, array, words, protocol):
    path = tmp_path / 'img_id.pkl'
    path.write_bytes(pickle.dumps({'person': [array]}, protocol))
    with pytest.raises(ValueError, match=rf'no list of image ids \(.*{words}'):
        read_ids(str(path))


def test_a_pickle_changes_no_part_of_the_reader(tmp_path):
    path = tmp_path / 'img_id.pkl'
    # A state for the callables themselves: {'__defaults__': (7,)}.
    for name in (b'_codecs\nencode', b'builtins\nset', b'numpy\ndtype'):
        state = b"N}(S'__defaults__'\n(I7\nts\x86b"
        path.write_bytes(b'\x80\x02c' + name + b'\n' + state + b'.')
        with pytest.raises(ValueError, match=r'no list of image ids'):
            read_ids(str(path))
    path.write_bytes(pickle.dumps([b'9', {25}], 2))
    assert set(read_ids(str(path))) == {'9', 25}


@pytest.mark.parametrize(
    'data',
    [
        # A bytearray of 2**45, a frame of 2**60, an item that is not there.
        b'\x80\x05\x96' + struct.pack('<Q', 2**45) + b'9',
        b'\x80\x04\x95' + struct.pack('<Q', 2**60) + b']K\x09',
        b'\x80\x02j\xff\xff\xff\x7f.',
    ],
)
def test_forged_sizes_take_no_memory(tmp_path, data):
    path = tmp_path / 'img_id.pkl'
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'no list of image ids'):
        read_ids(str(path))


def test_a_far_reference_takes_no_memory(tmp_path):
    """Item 2**31 of a table, for which C would allocate 34 GB."""
    path = tmp_path / 'img_id.pkl'
    path.write_bytes(b'\x80\x02]r\xff\xff\xff\x7fK\x09a.')
    assert read_ids(str(path)) == [9]


def test_shared_containers_are_read_once(tmp_path):
    content = array = [9, np.array([25])]
    for _ in range(99):
        content = [content, {'a': content, 'b': content}, array]
    path = tmp_path / 'img_id.pkl'
    path.write_bytes(pickle.dumps(content))
    assert read_ids(str(path)) == [9, 25]


@pytest.mark.parametrize('protocol', [2, 5])
@pytest.mark.parametrize(
    'array',
    [
        np.array([[9, 255], [3, 4]]),
        np.asfortranarray([[9, 255], [3, 4]]),
        np.array([9, 255], dtype='>u2'),
        np.array(['000009.jpg', 'a\u00e9']),
        np.array(['000009.jpg', 'a\u00e9'], dtype='>U12'),
        np.array([b'000009.jpg', b'a']),
        np.zeros((0, 3), dtype=np.int64),
        np.int8(-3),
        np.str_('a9'),
    ],
)
def test_arrays_are_what_numpy_reads(tmp_path, array, protocol):
    path = tmp_path / 'img_id.pkl'
    path.write_bytes(pickle.dumps(array, protocol))
    expected = np.ravel(array).tolist()
    assert read_ids(str(path)) == [
        x.decode() if isinstance(x, bytes) else x for x in expected
    ]


@pytest.mark.parametrize(
    'text', ['391895\n522418\n', '2008_000002.jpg\r\n\n2008_000007\n', '9']
)
def test_text_in_a_pickle_file(tmp_path, text):
    """As the authors' ``img_id.pkl`` of COCO-MLT."""
    path = tmp_path / 'img_id.pkl'
    path.write_text(text)
    assert read_ids(str(path)) == text.split()


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ({'head': [1, 2], 'middle': {3}, 'tail': [4]}, 'split of the classes'),
        ({'Many': [1], 'Few': [2]}, 'split of the classes'),
        (np.eye(4, dtype=np.int64), '16 numbers .* 0 or 1: the ground truth'),
        (np.eye(4), r'holds 1\.0, which is neither'),
        ({'gt': [[0, 1, 0]], 'names': ['a']}, '3 numbers .* ground truth'),
        ({9: [0, 1, 1], 25: [1, 0, 0]}, 'ground truth'),
        ({9: np.array([True, False])}, 'holds True'),
    ],
)
def test_other_files_of_the_authors(tmp_path, content, words):
    path = tmp_path / 'class_split.pkl'
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=rf'class_split\.pkl .*{words}'):
        read_ids(str(path))


def test_statistics_instead_of_ids(tmp_path):
    path = tmp_path / 'class_freq.pkl'
    content = {'class_freq': np.array([5, 3]), 'prob': np.array([0.5, 0.3])}
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r'holds 0\.5, which is neither'):
        read_ids(str(path))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'img_id\.pkl does not exist'):
        select_images(images(9), 'img_id.pkl', str(tmp_path))


def test_file_of_the_generator(tmp_path):
    (tmp_path / 'a.json').write_text(
        json.dumps({'ids': [9], 'arguments': {'seed': 4}, 'counts': {'a': 25}})
    )
    assert read_ids(str(tmp_path / 'a.json')) == [9]
