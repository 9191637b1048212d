"""Every config is parsed, built and does one small training step."""

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config, ConfigDict, config
from mmengine.hub import get_config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    METRICS,
    MODELS,
    DefaultScope,
)
from mmengine.structures import InstanceData
from mmpretrain.structures import DataSample

import mmlt
from mmlt.class_stats import ClassStats
from mmlt.datasets.roi_features import save_roi_features
from mmlt.models.size_shares import SizeShares
from mmlt.models.stitching import stitch

ROOT = Path(mmlt.__file__).parent / '.mim' / 'configs'
CONFIGS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob('*.py')
    if '_base_' not in path.parts
)
NUM_CLASSES = 12
WIDTHS = dict(
    in_channels=8,
    feat_channels=8,
    out_channels=8,
    conv_out_channels=8,
    fc_out_channels=16,
)
SIZE = 64
ROIS = dict(
    boxes=np.zeros((1, 4)),
    features=np.zeros((1, 4)),
    labels=np.zeros(1),
    img_shape=(SIZE, SIZE),
    scale_factor=(1.0, 1.0),
)
COCO_URL = 'http://images.cocodataset.org/'
is_installed = cache(config.is_installed)


def test_there_are_configs():
    assert len(CONFIGS) > 10


def test_basenames_are_unique():
    """``mim`` finds a bare config name by its basename."""
    names = [Path(config).name for config in CONFIGS]
    assert len(set(names)) == len(names)


def test_mmengine_hub_finds_configs():
    """By the metafiles, which list all."""
    index = yaml.safe_load((ROOT.parent / 'model-index.yml').read_text())
    listed = [
        model['Config'].removeprefix('configs/')
        for name in index['Import']
        for model in yaml.safe_load((ROOT.parent / name).read_text())['Models']
    ]
    assert sorted(listed) == CONFIGS
    assert get_config(f'mmlt::{CONFIGS[-1]}').filename


@pytest.fixture(autouse=True)
def _look_up_packages_once(monkeypatch):
    # Each base `mmdet::...` does it anew, most of the time a config takes.
    monkeypatch.setattr(config, 'is_installed', is_installed)


@pytest.mark.parametrize('path', CONFIGS)
def test_config_does_one_step(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # As a child of it in a user's folder, which must find all its types.
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = ['mmlt::{path}']\n")
    cfg = Config.fromfile(child)
    write_features(cfg)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        if cfg.default_scope == 'mmdet':
            check_detector(cfg, write_annotations(tmp_path))
        else:
            check_classifier(cfg)
        check_pipelines(cfg)
    assert cfg.train_cfg.max_epochs > 0


def check_classifier(cfg):
    shrink_classifier(cfg.model)
    num_classes = cfg.model.head.num_classes
    model = MODELS.build(
        {**cfg.model, 'data_preprocessor': cfg.data_preprocessor}
    )
    if hasattr(model.head, 'set_centroids'):
        features = torch.randn(num_classes, model.head.in_channels)
        classes = [DataSample().set_gt_label(k) for k in range(num_classes)]
        model.head.set_centroids([(features, classes)])
    if cfg.train_cfg.get('type') == 'mmlt.ClassMeansLoop':
        check_class_means(cfg, model.head)
    else:
        counts = np.logspace(3.7, 0.7, num_classes).astype(int)
        stats = ClassStats.single_label(counts)
        step(cfg, model, make_images(cfg), stats)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        METRICS.build(evaluator)
    for sample in predict(model, make_images(cfg)):
        assert sample.pred_score.shape == (num_classes,)


def check_detector(cfg, ann_file):
    shrink_detector(cfg.model)
    model = MODELS.build(cfg.model)
    # The rest of the detector is the stock one, and slow to initialise.
    head = model.bbox_head if hasattr(model, 'bbox_head') else model.roi_head
    head.init_weights()
    instances = np.logspace(0, 4, NUM_CLASSES).astype(int)
    stats = ClassStats(
        (instances + 1) // 2,
        instances,
        10_000,
        fractal_dimension=np.linspace(1, 2, NUM_CLASSES),
    )
    if cfg.train_cfg.get('type') == 'mmlt.ClassMeansLoop':
        check_class_means(cfg, model.roi_head.bbox_head)
    else:
        step(cfg, model, make_scenes(cfg.model), stats)
    samples = predict(model, make_scenes(cfg.model))
    for sample in samples:
        labels = sample.pred_instances.labels.tolist()
        assert set(labels) <= set(range(NUM_CLASSES))
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        metric = METRICS.build({**evaluator, 'ann_file': ann_file})
        metric.process({}, [sample.to_dict() for sample in samples])
    check_sampler(cfg.train_dataloader, ann_file)


def shrink_classifier(model: ConfigDict) -> None:
    """The same model with fewer weights, where a config names the depth."""
    for part in (model.backbone, model.backbone.get('backbone')):
        if part is not None and part.get('depth') == 50:
            part.base_channels = 8
            part.stem_channels = 8
            # Four stages double the width, bottlenecks end four times wider.
            neck = model.get('neck')
            pooled = neck is None or 'in_channels' not in neck
            (model.head if pooled else neck).in_channels = 8 * 2**3 * 4
    if model.backbone.type == 'mmlt.ResNet10' and isinstance(model.neck, list):
        model.neck[0].size = 1  # The side of the last maps of small images.
    if model.head.num_classes > 1000:
        model.head.num_classes = NUM_CLASSES


def shrink_detector(model: ConfigDict) -> None:
    """The same kind of detector, narrow and for a few classes."""
    backbone = model.backbone
    if backbone.type == 'mmlt.ImageFeatures':
        set_widths([model.roi_head])
        backbone.in_channels = model.roi_head.bbox_head.fc_out_channels
        return
    expansion = 1
    backbone.update(init_cfg=None, base_channels=4, depth=18)
    if backbone.type == 'ResNeXt':
        expansion = 4
        backbone.update(depth=50, groups=2, base_width=2)
    parts = ('neck', 'rpn_head', 'roi_head', 'bbox_head')
    set_widths([model[part] for part in parts if part in model])
    model.neck.in_channels = [4 * 2**i * expansion for i in range(4)]
    if 'bbox_head' in model:
        model.test_cfg.max_per_img = 20
        return
    rcnn = model.train_cfg.rcnn
    for stage in rcnn if isinstance(rcnn, list) else [rcnn]:
        stage.sampler.num = 16
    for proposal in (model.train_cfg.rpn_proposal, model.test_cfg.rpn):
        proposal.max_per_img = 50
    model.test_cfg.rcnn.max_per_img = 20


def set_widths(node) -> None:
    """Go down to all widths and numbers of classes."""
    values = node.values() if isinstance(node, dict) else node
    for value in values:
        if isinstance(value, (dict, list)):
            set_widths(value)
    if isinstance(node, dict):
        widths = {k: v for k, v in WIDTHS.items() if k in node}
        node.update(widths)
        if 'num_classes' in node:
            node['num_classes'] = NUM_CLASSES


def make_images(cfg) -> dict:
    """A batch of four, before preprocessing, as the data set has them."""
    if cfg.model.backbone.type == 'mmlt.ImageFeatures':
        # A head on features that were computed before.
        inputs = torch.randn(4, cfg.model.backbone.in_channels)
    elif cfg.model.backbone.get('begin') == 'layers.5.4':
        # Maps before the last block of EfficientNet-Lite0.
        inputs = torch.randn(4, 192, 4, 4)
    else:
        mean = cfg.data_preprocessor.get('mean')
        grey = mean is None or len(mean) == 1
        shape = (1, 28, 28) if grey else (3, 32, 32)
        inputs = list(torch.randint(0, 256, (4, *shape)).byte())
    classes = cfg.model.head.num_classes
    labels = [k % classes for k in range(4)]
    if 'MultiLabel' in cfg.model.head.type:
        labels = [[k, (k + 1) % classes] for k in labels]
    return {
        'inputs': inputs,
        'data_samples': [DataSample().set_gt_label(k) for k in labels],
    }


def make_scenes(model: ConfigDict) -> dict:
    """Two images with three objects each, before preprocessing.

    Of a detector on features of RoIs, those of the objects and proposals.
    """
    samples = []
    for index in range(2):
        masks = np.zeros((3, SIZE, SIZE), np.uint8)
        corners = np.array([(4, 4), (20, 10), (30, 34)])
        for mask, (x, y) in zip(masks, corners, strict=True):
            mask[y : y + 24, x : x + 20] = 1
        boxes = np.hstack([corners, np.add(corners, (20, 24))])
        shape = (SIZE, SIZE)
        sample = DetDataSample(
            metainfo=dict(
                img_id=index + 1,
                img_shape=shape,
                ori_shape=shape,
                scale_factor=(1.0, 1.0),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.from_numpy(boxes).float(),
            labels=torch.tensor([0, 5, NUM_CLASSES - 1]),
            masks=BitmapMasks(masks, *shape),
        )
        samples.append(sample)
    images = torch.randint(0, 256, (2, 3, SIZE, SIZE)).byte()
    if model.backbone.type == 'mmlt.ImageFeatures':
        images = torch.randn(2, 1, 8, model.backbone.in_channels)
        for sample in samples:
            boxes = torch.tensor([[4.0, 4, 25, 30], [9, 9, 12, 12]])
            sample.proposals = InstanceData(bboxes=boxes)
    return {'inputs': list(images), 'data_samples': samples}


def stitch_scenes(batch: dict) -> dict:
    """One image of four, as StitcherHook makes them."""
    images, samples = stitch(2 * batch['inputs'], 2 * batch['data_samples'], 4)
    return {'inputs': images, 'data_samples': samples}


def step(cfg, model, batch, stats) -> None:
    """Train on the batch under mmlt's hooks of the config."""
    runner = SimpleNamespace(
        model=model,
        optim_wrapper=build_optim_wrapper(model, cfg.optim_wrapper),
        logger=MMLogger.get_current_instance(),
        hooks=[],
        _load_from=None,
    )
    for hook in (*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])):
        if hook.type.startswith('mmlt.'):
            runner.hooks.append(HOOKS.build(hook))
    for part in (*model.modules(), *runner.hooks):
        if hasattr(part, 'set_class_stats'):
            part.set_class_stats(stats)
        if hasattr(part, 'set_co_occurrence'):
            part.set_co_occurrence(np.eye(stats.num_classes) + 1)
    shares = None
    for hook in runner.hooks:
        if type(hook).__name__ == 'StitcherHook':
            shares = SizeShares(model)
            batch = stitch_scenes(batch)
        if type(hook).__name__ == 'TrainablePartsHook':
            hook.before_run(runner)
        if type(hook).__name__ == 'ClassifierEditHook':
            hook.before_train(runner)
    model.train()
    data = model.data_preprocessor(batch, training=True)
    loss, logs = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert loss.isfinite()
    assert 'loss' in logs
    assert shares is None or shares.take()['box'].sum() > 0
    parameters = dict(model.named_parameters())
    trained = {n for n, p in parameters.items() if p.requires_grad}
    assert trained
    assert {n for n, p in parameters.items() if p.grad is not None} == trained
    assert all(parameters[name].grad.isfinite().all() for name in trained)
    runner.optim_wrapper.step()


def check_class_means(cfg, head) -> None:
    """Compute means of some features; there is nothing to train."""
    assert not cfg.optim_wrapper
    classes = torch.arange(head.num_classes).repeat(2)
    features = torch.randn(len(classes), len(head.center))
    head.set_means([(features, classes)])
    loader = cfg.train_dataloader
    assert not loader.sampler.shuffle
    assert not loader.sampler.round_up


def check_pipelines(cfg) -> None:
    """All transforms are found from where the data set is built."""
    for loader in (
        cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader
    ):  # fmt: skip
        dataset = loader.dataset
        with DATASETS.switch_scope_and_registry(dataset.get('_scope_')):
            while 'dataset' in dataset:
                dataset = dataset.dataset
            built = DATASETS.build({**dataset, 'lazy_init': True})
        assert len(built.pipeline.transforms) == len(dataset.pipeline) > 0


def write_features(cfg) -> None:
    """The file of features that the data set's transform reads, if any."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        dataset = loader.dataset
        while 'dataset' in dataset:
            dataset = dataset.dataset
        load = dataset.get('pipeline', [{}])[0]
        if load.get('type') == 'mmlt.LoadImageFeature':
            path = Path(load.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, names=['1.jpg'], features=np.zeros((1, 4)))
        if load.get('type') == 'mmlt.LoadRoIFeatures':
            save_roi_features(load.file, {1: [ROIS]})


@torch.no_grad()
def predict(model, batch) -> list:
    model.eval()
    data = model.data_preprocessor(batch, training=False)
    return model(**data, mode='predict')


def write_annotations(folder: Path) -> str:
    """An LVIS file of two images, with all the fields of v0.5 and v1."""
    content = dict(
        images=[
            dict(
                id=i,
                height=SIZE,
                width=SIZE,
                file_name=f'{i:012d}.jpg',
                coco_url=f'{COCO_URL}train2017/{i:012d}.jpg',
                neg_category_ids=[3],
                not_exhaustive_category_ids=[],
            )
            for i in (1, 2)
        ],
        annotations=[
            dict(
                id=i,
                image_id=i,
                category_id=i,
                bbox=[10, 10, 40, 40],
                area=1600,
                segmentation=[[10, 10, 50, 10, 50, 50, 10, 50]],
            )
            for i in (1, 2)
        ],
        categories=[
            dict(id=k + 1, name=str(k), frequency='rcf'[k % 3], image_count=1)
            for k in range(NUM_CLASSES)
        ],
    )
    path = folder / 'annotations.json'
    path.write_text(json.dumps(content))
    return str(path)


def check_sampler(loader: ConfigDict, ann_file: str) -> None:
    """The data set reads annotations, the sampler draws from it."""
    config = loader.dataset
    inner = dict(data_root='', ann_file=ann_file, pipeline=[])
    if config.type == 'CocoDataset':  # It looks for COCO's classes.
        classes = [str(k) for k in range(NUM_CLASSES)]
        inner['metainfo'] = dict(classes=classes)
    dataset = DATASETS.build(
        {**config, 'dataset': {**config.dataset, **inner}}
        if 'dataset' in config
        else {**config, **inner}
    )
    assert len(dataset) == 2
    sampler = DATA_SAMPLERS.build(
        loader.sampler, default_args=dict(dataset=dataset, seed=0)
    )
    drawn = sorted(sampler)
    assert len(drawn) == len(sampler) >= 2
    assert set(drawn) <= {0, 1}
    if 'batch_sampler' in loader:
        batches = DATA_SAMPLERS.build(
            loader.batch_sampler,
            default_args=dict(sampler=sampler, batch_size=2),
        )
        assert sorted(index for batch in batches for index in batch) == drawn
