"""Files of features, and their names."""

import numpy as np
import pytest

from mmlt.datasets.features import FeatureFile, image_names, save_features


def of_paths(*paths):
    return image_names([dict(img_path=path) for path in paths])


def test_names_begin_with_the_folder_of_all():
    assert of_paths('/a/train/cat/1.jpg', '/a/train/dog/1.jpg') == [
        'train/cat/1.jpg',
        'train/dog/1.jpg',
    ]
    assert of_paths('a/val/1.jpg', 'a/val/2.jpg') == ['val/1.jpg', 'val/2.jpg']
    assert of_paths('1.jpg', '2.jpg') == ['1.jpg', '2.jpg']
    # An only image, and only images of one class.
    assert of_paths('a/train/cat/1.jpg') == ['cat/1.jpg']


def test_images_without_files_go_by_position():
    assert image_names([dict(sample_idx=7), dict(sample_idx=2)]) == ['7', '2']
    assert image_names([]) == []


def test_repeated_images():
    with pytest.raises(ValueError, match=r'image a/1\.jpg twice'):
        of_paths('a/1.jpg', 'a/2.jpg', 'a/1.jpg')


def written(tmp_path, names):
    path = tmp_path / 'made' / 'features.npz'
    save_features(path, names, np.arange(2.0 * len(names)).reshape(-1, 2))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return FeatureFile(path)


def test_images_of_one_name_in_two_folders(tmp_path):
    file = written(tmp_path, ['train/cat/1.jpg', 'train/dog/1.jpg'])
    for path, row in (('x/train/cat/1.jpg', 0), ('train/dog/1.jpg', 1)):
        assert file.of(dict(img_path=path)).tolist() == [2 * row, 2 * row + 1]
    # Those of the other part are not taken for these.
    for path in ('x/test/cat/1.jpg', 'cat/1.jpg', '1.jpg'):
        with pytest.raises(ValueError, match=f'no features of {path}'):
            file.of(dict(img_path=path))


def test_the_longest_end_counts(tmp_path):
    file = written(tmp_path, ['1.jpg', 'dog/1.jpg'])
    assert file.of(dict(img_path='a/cat/1.jpg'))[0] == 0
    assert file.of(dict(img_path='a/dog/1.jpg'))[0] == 2


def test_position(tmp_path):
    file = written(tmp_path, ['0', '5'])
    assert file.of(dict(sample_idx=5))[0] == 2
    with pytest.raises(ValueError, match='no features of 4'):
        file.of(dict(sample_idx=4))
