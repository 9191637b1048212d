import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmpretrain.structures import DataSample
from PIL import Image

from mmlt.analysis.batches import Sample, draw_batches, sample_batches
from mmlt.class_stats import ClassStats
from mmlt.registry import DATASETS

COUNTS = [20, 5, 2]


@pytest.fixture
def loader(tmp_path):
    """Images of 20 to 2 a class, whose blue is the class; BGR in a batch."""
    for k, count in enumerate(COUNTS):
        folder = tmp_path / f'class_{k}'
        folder.mkdir()
        for i in range(count):
            image = np.zeros((8, 8, 3), np.uint8)
            image[..., 2] = 100 * k
            Image.fromarray(image).save(folder / f'{i}.png')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield dict(
            batch_size=9,
            num_workers=2,
            persistent_workers=True,
            collate_fn=dict(type='default_collate'),
            dataset=dict(
                type='CustomDataset',
                data_root=str(tmp_path),
                pipeline=pipeline,
            ),
            sampler=dict(type='DefaultSampler', shuffle=True),
        )


def test_samplers_are_compared(loader):
    loader['sampler'] = dict(type='mmlt.ReversedSampler')
    batches, stats = sample_batches(loader, 27, 0, to_rgb=True)
    assert stats.image_count.tolist() == COUNTS
    assert list(batches) == ['uniform', 'ReversedSampler']
    counts = {
        name: np.bincount([s.labels[0] for s in samples], minlength=3)
        for name, samples in batches.items()
    }
    assert counts['uniform'].tolist() == COUNTS
    assert counts['ReversedSampler'][2] > counts['ReversedSampler'][0]
    for sample in batches['uniform']:
        assert sample.image.shape == (8, 8, 3)
        assert (sample.image[..., 2] == 100 * sample.labels[0]).all()
        assert not sample.image[..., 0].any()


def test_both_halves_of_a_bilateral_batch_are_shown(loader):
    loader['batch_sampler'] = dict(type='mmlt.BilateralBatchSampler')
    batches, _ = sample_batches(loader, 18, 0, to_rgb=False)
    assert list(batches) == ['uniform', 'BilateralBatchSampler']
    rare = [s.labels[0] == 2 for s in batches['BilateralBatchSampler']]
    assert len(rare) == 18
    assert sum(rare[9:]) > 3 > sum(rare[:9])


class Scenes(BaseDataset):
    METAINFO = dict(classes=('a', 'b'))  # noqa: RUF012
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)

    def load_data_list(self):
        return [dict(gt_label=[0, 1]) for _ in range(4)]

    def prepare_data(self, index):
        sample = DataSample()
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[1.0, 2.0, 5.0, 6.0]] * 2),
            labels=torch.tensor([0, 1]),
        )
        return dict(inputs=self.image, data_samples=sample)


@pytest.fixture
def scenes(loader):
    name = f'{__name__}.Scenes'.replace('.', '_')
    DATASETS.register_module(name=name, module=Scenes, force=True)
    loader.update(
        dataset=dict(type=f'mmlt.{name}'),
        collate_fn=dict(type='pseudo_collate'),
    )
    yield loader
    DATASETS.module_dict.pop(name)


def test_boxes_are_read_and_drawn(scenes, tmp_path, figures):
    batches, stats = sample_batches(scenes, 2, 0, to_rgb=False)
    sample = batches['uniform'][0]
    assert sample.labels == [0, 1]
    assert sample.boxes.tolist() == [[1, 2, 5, 6]] * 2
    draw_batches(batches, stats, tmp_path / 'batches.png')
    axis = figures[0].subfigs[0].axes[0]
    assert [p.get_bbox().bounds for p in axis.patches] == [(1, 2, 4, 4)] * 2


def test_features_are_refused(scenes, monkeypatch):
    monkeypatch.setattr(Scenes, 'image', torch.zeros(16))
    with pytest.raises(ValueError, match=r'\(16,\).*no images'):
        sample_batches(scenes, 2, 0, to_rgb=False)


def test_titles_name_the_rarest_classes(tmp_path, figures):
    grey = np.zeros((8, 8), np.uint8)
    samples = [Sample(grey, [0, 1, 2, 3]), Sample(grey, [])]
    stats = ClassStats([50, 9, 3, 20], num_images=60, classes=list('abcd'))
    draw_batches({'uniform': samples}, stats, tmp_path / 'batches.png')
    axes = figures[0].subfigs[0].axes
    assert axes[0].get_title() == 'c (3)\nb (9)\nd (20) + 1'
    assert axes[1].get_title() == ''
    assert '2 images, 4 of 4' in figures[0].subfigs[0].get_suptitle()
