"""tools/dataset_converters/roi_features.py, and training on its files."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmdet.models.task_modules.samplers import RandomSampler
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import Runner

from mmlt.datasets.categories import FASHION_SCENES_CATEGORIES
from mmlt.engine.launch import CONFIGS
from mmlt.models.roi_heads import NCMBBoxHead

TOOL = 'dataset_converters/roi_features.py'
IDS = (7, 3, 5)
SIZE, WIDTH = 64, 16


def write_scenes(folder):
    """Three images, with three, two, and one object, for both splits."""
    rng = np.random.default_rng(0)
    (folder / 'annotations').mkdir()
    images, annotations = [], []
    for img_id, number in zip(IDS, (3, 2, 1), strict=True):
        image = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{img_id}.png'), image)
        size = dict(height=SIZE, width=SIZE, neg_category_ids=[1])
        images.append(
            dict(
                id=img_id,
                coco_url=f'{img_id}.png',
                not_exhaustive_category_ids=[],
                **size,
            )
        )
        for k in range(number):
            x, y, side = 4 + 9 * k, 30 - 10 * k, 20 + 4 * k
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=img_id,
                    category_id=k + 1,
                    bbox=[x, y, side, side + 6],
                    area=side * (side + 6),
                    segmentation=[[x, y, x + side, y, x, y + side + 6]],
                )
            )
    content = dict(
        images=images,
        annotations=annotations,
        categories=[
            dict(id=k + 1, name=name, frequency='rcf'[k % 3], image_count=1)
            for k, name in enumerate(FASHION_SCENES_CATEGORIES)
        ],
    )
    for split in ('train', 'val'):
        path = folder / f'annotations/fashion_scenes_{split}.json'
        path.write_text(json.dumps(content))


def small_config(folder, name):
    """A config of the two stages, for the images in the folder."""
    cfg = Config.fromfile(CONFIGS / name)
    for part in ('train', 'val', 'test'):
        loader = cfg[f'{part}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(folder)
        load = loader.dataset.pipeline[0]
        if 'file' in load:
            load.file = str(folder / load.file.rpartition('/')[-1])
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        path = evaluator.ann_file.rpartition('/')[-1]
        evaluator.ann_file = str(folder / 'annotations' / path)
    model = cfg.model
    if 'depth' in model.backbone:
        model.backbone.base_channels = 4
        model.neck.in_channels = [4, 8, 16, 32]
    else:
        model.backbone.in_channels = WIDTH
    model.roi_head.bbox_head.fc_out_channels = WIDTH
    model.train_cfg.rcnn.sampler.num = 12
    model.train_cfg.rpn_proposal.max_per_img = 40
    model.test_cfg.rpn.max_per_img = 30
    cfg.work_dir = str(folder / 'work_dirs')
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.load_from = str(folder / 'first.pth')
    return cfg


FIRST = 'baselines/faster-rcnn_r18-small_fpn_12e_fashion-scenes.py'


@pytest.fixture(scope='module')
def folder(tmp_path_factory, load_tool):
    """Images, a first stage, and the features of its RoIs."""
    folder = tmp_path_factory.mktemp('roi_features')
    write_scenes(folder)
    cfg = small_config(folder, FIRST)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
    for layer in (model.roi_head.bbox_head.fc_cls, model.rpn_head.rpn_cls):
        layer.weight.data *= 20  # Scores that are far from each other.
    torch.save({'state_dict': model.state_dict()}, folder / 'first.pth')
    cfg.dump(folder / 'config.py')
    load_tool(TOOL).main(
        [
            str(folder / 'config.py'),
            str(folder / 'first.pth'),
            '--out',
            str(folder),
        ]
    )
    return folder


def make(cfg, part):
    """The model with the weights of the first stage; a batch of all."""
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model)
    state = torch.load(cfg.load_from)['state_dict']
    model.load_state_dict(state, strict=False)
    dataset = DATASETS.build(cfg[f'{part}_dataloader'].dataset)
    batch = pseudo_collate([dataset[k] for k in range(len(dataset))])
    return model.eval(), model.data_preprocessor(batch, part == 'train')


def second_stage(folder, method='classifier'):
    name = f'roi_features/{method}_roi-features_4e_fashion-scenes.py'
    return small_config(folder, name)


@torch.no_grad()
@pytest.mark.parametrize('flip', [0, 1])
def test_losses_are_those_on_images(folder, flip, monkeypatch):
    cfg = small_config(folder, FIRST)
    cfg.train_dataloader.dataset.pipeline[-2].prob = float(flip)
    model, data = make(cfg, 'train')
    maps = model.extract_feat(data['inputs'])
    _, proposals = model.rpn_head.loss_and_predict(
        maps,
        data['data_samples'],
        proposal_cfg=cfg.model.train_cfg.rpn_proposal,
    )
    torch.manual_seed(0)
    expected = model.roi_head.loss(maps, proposals, data['data_samples'])

    monkeypatch.setattr(np.random, 'randint', lambda views: flip)
    model, data = make(second_stage(folder), 'train')
    assert data['inputs'].shape[2] > 12  # There is something to sample.
    torch.manual_seed(0)
    losses = model(**data, mode='loss')
    assert expected['loss_bbox'] > 0
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_detections_are_those_on_images(folder):
    model, data = make(small_config(folder, FIRST), 'val')
    expected = model(**data, mode='predict')
    model, data = make(second_stage(folder), 'val')
    assert len(data['data_samples']) == len(expected) == 3
    scores, deltas = model(**data, mode='tensor')[0]
    assert len(scores) == len(deltas) > 3
    for found, known in zip(
        model(**data, mode='predict'), expected, strict=True
    ):
        assert found.img_id == known.img_id
        found, known = found.pred_instances, known.pred_instances
        assert len(found) == len(known) > 10
        for key in ('scores', 'bboxes', 'labels'):
            torch.testing.assert_close(
                found[key], known[key], rtol=1e-4, atol=1e-4
            )


@pytest.mark.filterwarnings('ignore:BAGSLoss:UserWarning')  # few scenes
@pytest.mark.parametrize('method', ['rfs', 'bags'])
def test_second_stage_trains_the_classifier_alone(folder, method, tmp_path):
    cfg = second_stage(folder, method)
    cfg.work_dir = str(tmp_path)
    runner = Runner.from_cfg(cfg)
    runner.train()
    first = torch.load(cfg.load_from)['state_dict']
    differ = {
        name
        for name, value in runner.model.named_parameters()
        if not value.equal(first[name])
    }
    assert {name.rpartition('.')[0] for name in differ} == {
        'roi_head.bbox_head.fc_cls'
    }
    assert 'val/lvis/bbox_AP' in runner.message_hub.log_scalars


@pytest.mark.parametrize(
    ('name', 'feature'),
    [
        ('roi_features/ncm-fc_roi-features_1e_fashion-scenes.py', 'fc'),
        ('baselines/ncm-fc_faster-rcnn_r18-small_fpn_1e_fashion-scenes.py',
         'fc'),
        ('baselines/ncm-conv_faster-rcnn_r18-small_fpn_1e_fashion-scenes.py',
         'conv'),
    ],
)  # fmt: skip
def test_class_means_of_true_boxes(
    folder, name, feature, tmp_path, monkeypatch
):
    seen = {}

    def set_means(head, batches):
        seen['features'] = torch.cat([x for x, _ in batches])
        seen['labels'] = torch.cat([y for _, y in batches])
        head.means = torch.randn(head.num_classes, len(head.center))

    monkeypatch.setattr(NCMBBoxHead, 'set_means', set_means)
    monkeypatch.setattr(np.random, 'randint', lambda views: 0)
    cfg = small_config(folder, name)
    cfg.work_dir = str(tmp_path)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert 'val/lvis/bbox_AP' in runner.message_hub.log_scalars
    assert seen['labels'].tolist() == [0, 1, 2, 0, 1, 0]
    model, _ = make(small_config(folder, FIRST), 'train')
    images = name.replace(
        'roi_features/ncm-fc_roi-features',
        'baselines/ncm-fc_faster-rcnn_r18-small_fpn',
    )
    cfg = small_config(folder, images)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    rows = []
    with torch.no_grad():
        for item in dataset:
            batch = model.data_preprocessor(pseudo_collate([item]), False)
            maps = model.extract_feat(batch['inputs'])
            (sample,) = batch['data_samples']
            for box in sample.gt_instances.bboxes:
                roi = torch.cat([torch.zeros(1), box])[None]
                x = model.roi_head.bbox_roi_extractor(maps[:4], roi)
                if feature == 'conv':
                    rows.append(x.mean((2, 3))[0])
                    continue
                first, last = model.roi_head.bbox_head.shared_fcs
                rows.append(last(first(x.flatten(1)).relu())[0])
    torch.testing.assert_close(
        seen['features'], torch.stack(rows), rtol=1e-4, atol=1e-4
    )


def test_images_that_are_missing(folder):
    init_default_scope('mmdet')
    cfg = second_stage(folder)
    pipeline = cfg.train_dataloader.dataset.pipeline
    load = DATASETS.build(cfg.train_dataloader.dataset).pipeline.transforms[0]
    with pytest.raises(ValueError, match='no RoIs of the image 4'):
        load(dict(img_id=4))
    pipeline[0].file = str(folder / 'absent.npz')
    with pytest.raises(FileNotFoundError, match=r'roi_features\.py` writes'):
        DATASETS.build(cfg.train_dataloader.dataset)
    np.savez(folder / 'other.npz', names=np.array(['a']))
    pipeline[0].file = str(folder / 'other.npz')
    with pytest.raises(ValueError, match='no file of features of RoIs'):
        DATASETS.build(cfg.train_dataloader.dataset)


def test_heads_that_have_no_such_features(folder, load_tool):
    cfg = small_config(folder, FIRST)
    cfg.model.roi_head.bbox_head.type = 'DoubleConvFCBBoxHead'
    for key in ('fc_out_channels', 'reg_class_agnostic'):
        cfg.model.roi_head.bbox_head.pop(key)
    cfg.model.roi_head.bbox_head.update(num_convs=1, num_fcs=1)
    cfg.dump(folder / 'double.py')
    arguments = [str(folder / 'double.py'), str(folder / 'first.pth')]
    with pytest.raises(ValueError, match='no shared fully connected layers'):
        load_tool(TOOL).main([*arguments, '--out', 'x'])


BBOX_HEAD = dict(
    type='Shared2FCBBoxHead', in_channels=2, fc_out_channels=4, num_classes=3
)


@pytest.mark.parametrize(
    ('change', 'match'),
    [
        (dict(mask_head=dict(type='FCNMaskHead')), 'make no masks'),
        (dict(bbox_head=dict(type='BBoxHead')), 'no shared fully connected'),
        (dict(bbox_head=dict(BBOX_HEAD, with_avg_pool=True)), 'or pools'),
    ],
)
def test_bad_arguments_of_the_head(change, match):
    init_default_scope('mmdet')
    config = dict(type='mmlt.RoIFeatureHead', bbox_head=BBOX_HEAD)
    with pytest.raises(ValueError, match=match):
        MODELS.build({**config, **change})


def test_sampler_without_true_boxes(folder):
    cfg = second_stage(folder)
    assert RandomSampler(num=1, pos_fraction=1).add_gt_as_proposals
    cfg.model.train_cfg.rcnn.sampler.add_gt_as_proposals = False
    with pytest.raises(ValueError, match='add_gt_as_proposals=False'):
        make(cfg, 'train')
