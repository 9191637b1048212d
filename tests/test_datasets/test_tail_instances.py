import json

import pytest
from mmengine.registry import init_default_scope

from mmlt.class_stats import collect_class_stats
from mmlt.class_stats.labels import collect_labels
from mmlt.registry import DATASETS

# Classes 0, 1 and 2 have three, one and two objects, of which one is a crowd.
IMAGES = [[0, 1], [0], [2, 0], [], [2]]


@pytest.fixture
def config(tmp_path):
    init_default_scope('mmdet')
    annotations = [
        dict(
            id=10 * image + k, image_id=image, category_id=label + 1,
            bbox=[k, 2, 4, 5], area=20, iscrowd=int(image == 4),
        )
        for image, labels in enumerate(IMAGES)
        for k, label in enumerate(labels)
    ]  # fmt: skip
    images = [
        dict(id=k, file_name=f'{k}.png', height=9, width=9)
        for k in range(len(IMAGES))
    ]
    names = 'ant', 'bee', 'cat'
    categories = [dict(id=k + 1, name=name) for k, name in enumerate(names)]
    path = tmp_path / 'train.json'
    path.write_text(
        json.dumps(
            dict(images=images, annotations=annotations, categories=categories)
        )
    )
    return dict(
        type='mmdet.CocoDataset',
        ann_file=str(path),
        data_prefix=dict(img=''),
        metainfo=dict(classes=names),
        pipeline=[dict(type='mmdet.LoadAnnotations', with_bbox=True)],
    )


def build(dataset, **kwargs):
    return DATASETS.build(
        dict(type='mmlt.TailInstances', dataset=dataset, **kwargs)
    )


def test_rare_objects_and_their_images(config):
    tail = build(config, max_instances=2)
    assert tail.indices.tolist() == [0, 2]
    labels = [item['gt_bboxes_labels'].tolist() for item in tail]
    assert labels == [[1], [2]]
    assert tail[1]['gt_bboxes'].tensor.tolist() == [[0, 2, 4, 7]]
    # The data set itself keeps all.
    assert len(tail.dataset.get_data_info(0)['instances']) == 2
    assert build(config, max_instances=4).indices.tolist() == [0, 1, 2]


def test_statistics_are_those_of_what_is_left(config):
    tail = build(config, max_instances=2)
    assert collect_labels(tail).labels.tolist() == [1, 2]
    stats = collect_class_stats(tail)
    assert stats.instance_count.tolist() == [0, 1, 1]
    assert stats.num_images == 2
    assert [tail.get_cat_ids(k) for k in range(2)] == [[1], [2]]


def test_reading_later(config):
    tail = build(config, max_instances=2, lazy_init=True)
    assert len(tail) == 2
    assert collect_labels(tail).labels.tolist() == [1, 2]


def test_bad_arguments(config, list_dataset):
    with pytest.raises(ValueError, match=r'max_instances=1: .*the rarest 1'):
        build(config, max_instances=1)
    with pytest.raises(ValueError, match='max_instances must be >= 1'):
        build(config, max_instances=0)
    with pytest.raises(TypeError, match='no annotated objects'):
        build(list_dataset([0, 1, 1]), max_instances=2)
