import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mmlt.models.word_vectors import read_word_vectors

NAMES = ('cat', 'traffic light', 'Dog')
VECTORS = [[1.0, 2.0], [4.0, 1.0], [0.0, 3.0]]
# The file's first line may be a header, and a capital may come late.
TEXT = '4 2\ncat 1 2\n. 9 9\ndog 0 3\ntraffic 8 0\nlight 0 2\nDog 7 7\n'


def write(folder, name, content):
    path = folder / name
    if name.endswith('.npz'):
        np.savez(path, **content)
    else:
        path.write_text(content, encoding='utf-8')
    return path


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('glove.txt', TEXT),
        ('x.npz', dict(names=['dog', 'x', 'Cat', 'traffic light'],
                       vectors=[[0, 3], [5, 5], [1, 2], [4, 1]])),
    ],
)  # fmt: skip
def test_reads_both_formats(tmp_path, name, content):
    vectors = read_word_vectors(write(tmp_path, name, content), NAMES)
    assert_array_equal(vectors, VECTORS)
    assert vectors.dtype == np.float32


def test_a_whole_name_goes_before_its_words(tmp_path):
    path = write(tmp_path, 'x.txt', TEXT + 'hot-dog 5 6\nhot 1 1\n')
    assert_array_equal(read_word_vectors(path, ['hot-dog']), [[5, 6]])


@pytest.mark.parametrize(
    ('name', 'content', 'match'),
    [
        ('x.txt', 'cat 1 2\ndog 3 4\ntraffic 1 1\n', r"1 of 3.*light'\]"),
        ('x.txt', TEXT.replace('cat 1 2', 'cat 1 2 3'), 'differ in length'),
        ('x.txt', TEXT.replace('cat 1 2', 'cat 1 b'), 'line 2 of .* numbers'),
        ('x.txt', TEXT.replace('cat 1 2', 'cat 1 nan'), 'line 2 .* finite'),
        ('x.txt', TEXT.replace('cat 1 2', 'cat'), 'line 2 of .* no vector'),
        ('x.npz', dict(names=['cat']), "lacks .'vectors'"),
        ('x.npz', dict(names=NAMES, vectors=VECTORS[:2]), '3 names.*row for'),
        ('x.npz', dict(names=NAMES, vectors=[1.0, 2, 3]), 'one row for each'),
        ('x.npz', dict(names=NAMES[:2], vectors=VECTORS[:2]), "'dog'"),
    ],
)
def test_bad_file(tmp_path, name, content, match):
    with pytest.raises(ValueError, match=match):
        read_word_vectors(write(tmp_path, name, content), NAMES)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist'):
        read_word_vectors(tmp_path / 'x.txt', NAMES)
