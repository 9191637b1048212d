"""Valid arguments of all registered classes, and one use of each.

``test_fuzz.py`` breaks the arguments. Models and metrics are those of
``tools/benchmarks/cases.py``. Others take arguments by name, from ARGUMENTS.
"""

import importlib.util
import json
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from uuid import uuid4

import numpy as np
import torch
from mmengine import registry
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmengine.utils import is_seq_of
from mmpretrain.structures import DataSample
from torch.utils.data import Dataset

import mmlt
from mmlt.class_stats import collect_class_stats
from mmlt.class_stats.receiver import ClassStatsReceiver
from mmlt.registry import DETECTION_TYPES

CONFIGS = Path(mmlt.__file__).parent / '.mim' / 'configs'
CASES = Path(__file__).parents[1] / 'tools' / 'benchmarks' / 'cases.py'
VOC_OBJECT = '<object><name>cat</name><difficult>0</difficult></object>'


@cache
def benchmarks():
    """The module ``cases.py``."""
    spec = importlib.util.spec_from_file_location('cases', CASES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Patches(Dataset):
    """Sixteen patches of 8 x 8 pixels, two of each of eight classes."""

    metainfo = {'classes': tuple('abcdefgh')}  # noqa: RUF012

    def __len__(self):
        return 16

    def full_init(self):
        pass

    def get_data_info(self, index):
        return dict(gt_label=range(16)[index] % 8)

    def __getitem__(self, index):
        sample = DataSample().set_gt_label(index % 8)
        return dict(inputs=torch.ones(3, 8, 8) * index, data_samples=sample)


def write_files(folder):
    """What ARGUMENTS name: annotations, a VOC, features, a checkpoint."""
    folder.mkdir()
    for name in ('Annotations', 'JPEGImages', 'ImageSets/Main'):
        (folder / name).mkdir(parents=True)
    (folder / 'ImageSets/Main/trainval.txt').write_text('0\n1\n')
    for index in range(2):
        path = folder / f'Annotations/{index}.xml'
        path.write_text(f'<annotation>{VOC_OBJECT}</annotation>')
    image = dict(
        height=9, width=9, neg_category_ids=[1], not_exhaustive_category_ids=[]
    )
    box = dict(bbox=[1, 1, 4, 4], area=16, iscrowd=0, segmentation=[])
    url = 'http://images.cocodataset.org/train2017/'
    content = dict(
        images=[
            dict(id=k, file_name=f'{k}.jpg', coco_url=f'{url}{k}.jpg', **image)
            for k in range(8)
        ],
        annotations=[
            dict(id=k + 1, image_id=k, category_id=k % 3 + 1, **box)
            for k in range(8)
        ],
        categories=[
            dict(id=k, name=str(k), frequency='rcf'[k % 3]) for k in (1, 2, 3)
        ],
    )
    (folder / 'annotations.json').write_text(json.dumps(content))
    # Features of an image, and of one RoI of it.
    rois = dict(img_id=[0], start=[[0, 1]], boxes=np.ones((1, 4)), labels=[0])
    rois.update(img_shape=[(9, 9)], scale_factor=[(1, 1)])
    np.savez(
        folder / 'x.npz', names=['0.jpg'], features=np.ones((1, 4)), **rois
    )
    torch.save(
        dict(state_dict=runner(folder).model.state_dict()), folder / 'x.pth'
    )


class Boxes(Patches):
    """Sixteen images of 32 x 32 pixels with a box each."""

    def get_data_info(self, index):
        label = range(16)[index] % 8
        return dict(instances=[dict(bbox_label=label, bbox=[1, 1, 20, 20])])

    def __getitem__(self, index):
        from mmdet.structures import DetDataSample

        sample = DetDataSample(metainfo=dict(img_shape=(32, 32)))
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[1.0, 1, 20, 20]]),
            labels=torch.tensor([range(16)[index] % 8]),
        )
        return dict(inputs=torch.ones(3, 32, 32), data_samples=sample)


class Objects(Patches):
    """Sixteen images with an object each, one of the class 0."""

    pipeline = staticmethod(dict)

    def get_data_info(self, index):
        label = range(16)[index] % 7 + 1 if index else 0
        return dict(instances=[dict(bbox_label=label, bbox=[1, 1, 4, 4])])


@registry.DATASETS.register_module(force=True)
class PipelinePatches(Patches):
    """Patches, of a config."""

    def __init__(self, pipeline):
        super().__init__()


IN_ORDER = dict(
    batch_size=8,
    num_workers=0,
    dataset=dict(type='PipelinePatches', pipeline=[]),
    collate_fn=dict(type='pseudo_collate'),
)
OPTIM_WRAPPER = dict(optimizer=dict(type='SGD', lr=0.1))


def runner(folder, model=(), **kwargs):
    """A training of a few steps."""
    head = dict(type='LinearClsHead', num_classes=8, in_channels=16)
    backbone = dict(type='mmlt.CIFARResNet', depth=20, base_channels=4)
    neck = dict(type='GlobalAveragePooling')
    if 'neck' not in model:
        model = {
            **dict(type='ImageClassifier', backbone=backbone),
            **dict(neck=neck, head=head),
            **dict(model),
        }
    loader = dict(
        dataset=Patches(),
        batch_size=8,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'),
    )
    hooks = dict(
        class_stats=dict(type='mmlt.ClassStatsHook'),
        checkpoint=None, logger=None,
    )  # fmt: skip
    hooks.update(kwargs.pop('default_hooks', {}))
    config = dict(
        train_cfg=dict(by_epoch=True, max_epochs=1),
        train_dataloader=loader,
        val_cfg=dict(),
        val_dataloader=loader,
        val_evaluator=dict(type='Accuracy'),
        optim_wrapper=OPTIM_WRAPPER,
        default_scope='mmpretrain',
    )
    config.update(kwargs)
    return Runner(
        model=model,
        work_dir=str(folder),
        default_hooks=hooks,
        experiment_name=uuid4().hex,
        log_level='ERROR',
        **config,
    )


BBN = dict(
    type='mmlt.BBNClassifier',
    backbone=dict(
        type='mmlt.BilateralBackbone',
        backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
    ),
    head=dict(type='mmlt.BBNHead', num_classes=8, in_channels=16),
)
LOSS = dict(type='mmlt.ClassWeightedCELoss')


def with_head(**kwargs):
    head = dict(type='LinearClsHead', num_classes=8, in_channels=16)
    return dict(model=dict(head={**head, **kwargs}))


def detection():
    """Two steps of a narrow RetinaNet."""
    path = CONFIGS / '_base_/models/retinanet_r18-small_fpn.py'
    model = Config.fromfile(path).model
    model.backbone.base_channels = 4
    model.neck.update(in_channels=[4, 8, 16, 32], out_channels=8)
    model.bbox_head.update(num_classes=8, in_channels=8, feat_channels=8)
    loader = dict(
        dataset=Boxes(), batch_size=2, num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='pseudo_collate'),
    )  # fmt: skip
    return dict(
        model=model,
        train_cfg=dict(by_epoch=False, max_iters=2),
        train_dataloader=loader,
        val_cfg=None,
        val_dataloader=None,
        val_evaluator=None,
        default_scope='mmdet',
    )


RUNS = {
    'AlphaScheduleHook': dict(
        model=BBN,
        train_dataloader=dict(
            dataset=Patches(), batch_size=4, num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='mmlt.BilateralBatchSampler'),
            collate_fn=dict(type='pseudo_collate'),
        ),
    ),
    'ClassCentroidsHook': dict(
        with_head(type='mmlt.OLTRHead'),
        # The hook builds a loader of its own.
        cfg=dict(train_dataloader=IN_ORDER, test_dataloader=IN_ORDER),
    ),
    'DeferredReweightHook': with_head(loss=LOSS),
    'ClassMeansLoop': with_head(type='mmlt.NCMHead'),
    'LossShareHook': detection(),
    'StitcherHook': detection(),
}  # fmt: skip
"""What the training of a hook or loop needs."""

ARGUMENTS = dict(
    ann_file=lambda folder: 'annotations.json',
    batch_size=lambda folder: 4,
    begin=lambda folder: 0,
    data_root=lambda folder: str(folder),
    dataset=lambda folder: Patches(),
    edits=lambda folder: [dict(type='mmlt.TauNorm')],
    epoch=lambda folder: 1,
    file=lambda folder: str(folder / 'x.npz'),
    max_epochs=lambda folder: 3,
    max_instances=lambda folder: 2,
    power=lambda folder: 0.5,
    sampler=lambda folder: DefaultSampler(Patches()),
    trainable=lambda folder: ['head.fc'],
)
"""Valid values of arguments that have no default."""
GIVEN = {'dataloader', 'runner'}
"""What the runner gives to loops."""

SETTINGS = {
    'COCOMLT': dict(ann_file='annotations.json'),
    'FashionScenes': dict(
        ann_file='annotations.json', data_prefix=dict(img='')
    ),
    'INaturalist': dict(ann_file='annotations.json'),
    'LongTailedDataset': dict(imbalance_factor=2),
    'TailInstances': dict(dataset=Objects()),
    'VOCMLT': dict(split='trainval'),
}
"""What a class needs beside its own arguments without a default."""


def valid_config(kind, name, parameters, folder, rng):
    """A config that works.

    Args:
        kind (str): Registry.
        name (str): Of the class in it.
        parameters (dict[str, inspect.Parameter]): Of the class.
        folder (Path): Where files are; see :func:`write_files`.
        rng (random.Random): Chooses one of several configs.
    """
    if kind == 'MODELS':
        case = benchmarks().MODEL_CASES[name]
        config = {**case.kind.config, **rng.choice(case.configs)}
    elif kind == 'METRICS':
        config = benchmarks().METRIC_CASES[name][0](folder)
    else:
        config = {
            key: ARGUMENTS[key](folder)
            for key, each in parameters.items()
            if each.default is each.empty and key not in GIVEN
        }
    for base in getattr(registry, kind).get(f'mmlt.{name}').__mro__:
        config = {**config, **SETTINGS.get(base.__name__, {})}
    if kind == 'DATASETS' and 'ann_file' in config:
        config['data_root'] = str(folder)
    return dict(type=f'mmlt.{name}', **config)


def use(kind, name, config, folder):
    """Build and use it once; returns the tensors that came of it."""
    torch.manual_seed(0)
    if kind in ('HOOKS', 'LOOPS', 'OPTIM_WRAPPERS'):
        return train(folder, kind, name, config)
    scope = 'mmdet' if name in DETECTION_TYPES else 'mmpretrain'
    with DefaultScope.overwrite_default_scope(scope):
        built = getattr(registry, kind).build(config)
        if kind in ('MODELS', 'METRICS'):
            return USES[kind](name, built)
        return USES[kind](built)


def train(folder, kind, name, config):
    """Use a hook, loop or wrapper of the optimizer."""
    change = dict(RUNS.get(name, {}), load_from=None)
    if 'model' not in change or 'backbone' not in change['model']:
        change['load_from'] = str(folder / 'x.pth')
    if kind == 'HOOKS':
        key = 'class_stats' if name == 'ClassStatsHook' else 'fuzzed'
        change['default_hooks'] = {key: config}
    elif kind == 'LOOPS':
        change['train_cfg'] = config
    else:
        change['optim_wrapper'] = {
            **config,
            'optimizer': dict(type='SGD', lr=0),
        }
    run = runner(folder, **change)
    run.train()
    return run.model.state_dict()


def use_sampler(sampler):
    getattr(sampler, 'sampler', sampler).set_epoch(2)
    drawn = list(islice(sampler, 100))
    assert len(drawn) == min(len(sampler), 100)
    flat = np.concatenate(drawn) if is_seq_of(drawn, list) else np.array(drawn)
    assert set(flat.tolist()) <= {*range(16)}
    return {}


def use_dataset(dataset):
    assert len(dataset) == len(
        [*map(dataset.get_data_info, range(len(dataset)))]
    )
    stats = collect_class_stats(dataset)
    return dict(count=torch.tensor(stats.image_count.astype(float)))


def use_transform(transform):
    image = dict(img_path='0.jpg', img_id=0, height=9, width=9)
    result = transform(dict(image, img=np.ones((4, 4, 3))))
    return dict(img=torch.as_tensor(result['img']))


def use_edit(edit):
    dimension = np.linspace(1, 2, 8)
    stats = replace(benchmarks().STATS, fractal_dimension=dimension)
    weight, bias = edit(torch.randn(8, 4), torch.randn(8), 8, stats)
    return dict(weight=weight, bias=bias)


def use_metric(name, metric):
    samples = benchmarks().METRIC_CASES[name][1]()
    if isinstance(metric, ClassStatsReceiver):
        metric.set_class_stats(benchmarks().STATS)
    metric.process({}, samples)
    result = metric.evaluate(len(samples))
    return {key: torch.tensor(float(value)) for key, value in result.items()}


def use_model(name, model):
    """Values and gradients of a training step, and of testing."""
    kind = benchmarks().MODEL_CASES[name].kind
    for module in model.modules():
        if isinstance(module, ClassStatsReceiver):
            module.set_class_stats(benchmarks().STATS)
    inputs, rest = kind.batch(model)
    inputs.requires_grad_()
    values = kind.loss(model, inputs, rest)
    total = sum(v.sum() for v in values.values() if v.requires_grad)
    total.backward()
    values = {**values, 'gradient': inputs.grad}
    if kind.predict is not None:
        with torch.no_grad():
            values.update(kind.predict(model.eval(), inputs, rest))
    return values


USES = dict(
    DATASETS=use_dataset,
    DATA_SAMPLERS=use_sampler,
    METRICS=use_metric,
    MODELS=use_model,
    TASK_UTILS=use_edit,
    TRANSFORMS=use_transform,
)
