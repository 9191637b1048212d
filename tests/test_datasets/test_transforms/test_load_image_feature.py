import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmlt.registry import TRANSFORMS


@pytest.fixture
def features(tmp_path):
    path = tmp_path / 'features.npz'
    values = np.arange(6, dtype=np.float16).reshape(2, 3)
    np.savez(path, names=np.array(['a.jpg', 'b.jpg']), features=values)
    return path


def build(path):
    return TRANSFORMS.build(dict(type='mmlt.LoadImageFeature', file=str(path)))


def test_rows_are_found_by_file_name(features):
    result = build(features)({'img_path': 'any/folder/b.jpg', 'other': 1})
    assert result['img'].dtype == np.float32
    np.testing.assert_array_equal(result['img'], [3, 4, 5])
    assert result['other'] == 1


def test_pack_inputs_takes_the_vector(features):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        pipeline = Compose(
            [
                dict(type='mmlt.LoadImageFeature', file=str(features)),
                dict(type='PackInputs'),
            ]
        )
        packed = pipeline({'img_path': 'a.jpg', 'gt_label': [0, 2]})
    torch.testing.assert_close(packed['inputs'], torch.tensor([0.0, 1, 2]))


def test_maps_are_packed_as_they_are_in_the_file(tmp_path):
    maps = np.arange(48, dtype=np.float16).reshape(2, 4, 2, 3)
    np.savez(tmp_path / 'maps.npz', names=['a.jpg', 'b.jpg'], features=maps)
    result = build(tmp_path / 'maps.npz')({'img_path': 'b.jpg'})
    assert result['img'].shape == (2, 3, 4)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        packed = Compose([dict(type='PackInputs')])(result)['inputs']
    assert packed.is_contiguous()
    torch.testing.assert_close(packed, torch.from_numpy(maps[1]).float())


def test_errors_name_the_file(features, tmp_path):
    with pytest.raises(ValueError, match=r'no features of c\.jpg'):
        build(features)({'img_path': 'c.jpg'})
    with pytest.raises(FileNotFoundError, match=r'fashion_scenes_features'):
        build(tmp_path / 'absent.npz')
    damaged = tmp_path / 'damaged.npz'
    damaged.write_bytes(features.read_bytes()[:50])
    other = tmp_path / 'other.npz'
    np.savez(other, images=np.zeros(3))
    for path in (damaged, other):
        with pytest.raises(ValueError, match='names and features'):
            build(path)
    twice = tmp_path / 'twice.npz'
    np.savez(twice, names=np.array(['a', 'a']), features=np.zeros((2, 3)))
    with pytest.raises(ValueError, match='1 different names'):
        build(twice)
