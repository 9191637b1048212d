import json

from mmdet.registry import DATASETS

from mmlt.class_stats import collect_class_stats
from mmlt.datasets.categories import FASHION_SCENES_CATEGORIES


def test_categories_are_garments_in_six_colours():
    assert len(set(FASHION_SCENES_CATEGORIES)) == 60
    assert FASHION_SCENES_CATEGORIES[:2] == ('red_t-shirt', 'yellow_t-shirt')
    assert FASHION_SCENES_CATEGORIES[-1] == 'white_ankle_boot'


def test_the_data_set_knows_its_categories(tmp_path):
    images = [
        dict(id=k, coco_url=f'{k}.jpg', height=9, width=9) for k in range(40)
    ]
    annotations = [
        dict(id=k + 1, image_id=k, category_id=60, bbox=[1, 1, 4, 4], area=16)
        for k in range(40)
    ]
    categories = [
        dict(id=k, name=name)
        for k, name in enumerate(FASHION_SCENES_CATEGORIES, 1)
    ]
    path = tmp_path / 'annotations.json'
    content = dict(
        images=images,
        annotations=[dict(each, iscrowd=0) for each in annotations],
        categories=categories,
    )
    path.write_text(json.dumps(content))
    dataset = DATASETS.build(
        dict(
            type='mmlt.FashionScenes',
            ann_file=str(path),
            data_prefix=dict(img=''),
        )
    )
    assert dataset.metainfo['classes'] == FASHION_SCENES_CATEGORIES
    stats = collect_class_stats(dataset)
    assert stats.num_images == 40
    assert stats.image_count[59] == 40
