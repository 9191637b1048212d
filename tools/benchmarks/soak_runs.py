"""The trainings of ``soak.py``: configs of mmlt, tiny, on generated data."""

import json
import struct
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmlt.datasets.categories import FASHION_SCENES_CATEGORIES
from mmlt.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
# Steps of an epoch; classification has a few more.
STEPS = 3
SIDE = 64
URL = 'http://images.cocodataset.org/'


def write_data(folder: Path) -> None:
    """Grey images of ten classes, and scenes with boxes and labels."""
    rng = np.random.default_rng(0)
    for split, prefix in (('train', 'train'), ('test', 't10k')):
        labels = np.repeat(np.arange(10, dtype=np.uint8), 12)
        images = rng.integers(0, 256, (120, 28, 28), dtype=np.uint8)
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in (
            ('images-idx3-ubyte', images), ('labels-idx1-ubyte', labels)
        ):  # fmt: skip
            header = struct.pack(
                f'>I{array.ndim}I', 0x800 + array.ndim, *array.shape
            )
            path = folder / f'{prefix}-{name}'
            path.write_bytes(header + array.tobytes())
        write_scenes(folder, split, 6 if split == 'train' else 4, rng)


def write_scenes(
    folder: Path, split: str, number: int, rng: np.random.Generator
) -> None:
    """Pictures with three boxes each, and annotations as LVIS has them."""
    images, annotations = [], []
    for index in range(number):
        name = f'{split}_{index}.png'
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
        images.append(
            dict(
                id=index + 1,
                file_name=name,
                coco_url=URL + name,
                height=SIDE,
                width=SIDE,
                neg_category_ids=[7 + index],
                not_exhaustive_category_ids=[],
            )
        )
        for x, y in rng.integers(0, SIDE // 2, (3, 2)).tolist():
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=index + 1,
                    category_id=int(rng.integers(1, 7)),
                    bbox=[x, y, 24, 28],
                    area=24 * 28,
                    segmentation=[[x, y, x + 24, y, x + 24, y + 28]],
                    iscrowd=0,
                )
            )
    categories = [
        dict(id=k + 1, name=name, frequency='rcf'[k % 3], image_count=1)
        for k, name in enumerate(FASHION_SCENES_CATEGORIES)
    ]
    content = dict(
        images=images, annotations=annotations, categories=categories
    )
    (folder / f'{split}.json').write_text(json.dumps(content))


def classifier(data: str, epochs: int) -> dict:
    """Augmented images, two workers."""
    return dict(
        model=dict(backbone=dict(stem_channels=4, base_channels=4),
                   head=dict(in_channels=16)),
        train_dataloader=dict(
            batch_size=16,
            num_workers=2,
            dataset=dict(
                imbalance_factor=6, max_count=12, dataset=dict(data_root=data)
            ),
        ),
        val_dataloader=dict(
            batch_size=64, num_workers=1, dataset=dict(data_root=data)
        ),
        val_evaluator=dict(thresholds=(4, 9)),
        train_cfg=dict(max_epochs=epochs, val_interval=1),
        default_hooks=dict(
            checkpoint=dict(interval=1, save_best='accuracy/balanced'),
        ),
    )  # fmt: skip


def bbn(data: str, epochs: int) -> dict:
    """Two branches, two samplers."""
    config = classifier(data, epochs)
    backbone = config['model']['backbone']
    config['model']['backbone'] = dict(backbone=backbone)
    return config


def deferred(data: str, epochs: int) -> dict:
    """CE whose sampler changes in the middle."""
    config = classifier(data, epochs)
    config['train_dataloader']['sampler'] = dict(
        _delete_=True, type='mmlt.DeferredSampler', epoch=epochs // 2
    )
    return config


def multi_label(data: str, epochs: int) -> dict:
    """By iterations, with dropout."""
    part = dict(batch_size=2, num_workers=0, persistent_workers=False)
    return dict(
        model=dict(
            backbone=dict(
                _delete_=True,
                type='mmlt.CIFARResNet',
                depth=20,
                base_channels=4,
            ),
            neck=dict(in_channels=16, out_channels=32),
            head=dict(
                in_channels=32,
                num_classes=60,
                loss=dict(_delete_=True, type='mmlt.DistributionBalancedLoss'),
            ),
        ),
        train_dataloader=dict(
            dataset=dict(data_root=data, ann_file='train.json'), **part
        ),
        val_dataloader=dict(
            dataset=dict(data_root=data, ann_file='test.json'), **part
        ),
        train_cfg=dict(
            _delete_=True,
            by_epoch=False,
            max_iters=STEPS * epochs,
            val_interval=STEPS,
        ),
        default_hooks=dict(
            checkpoint=dict(interval=STEPS, by_epoch=False, max_keep_ckpts=3)
        ),
    )


def detector(data: str, epochs: int) -> dict:
    """All parameters train."""
    part = dict(batch_size=2, num_workers=2)
    return dict(
        model=dict(
            backbone=dict(base_channels=4),
            neck=dict(in_channels=[4, 8, 16, 32], out_channels=8),
            rpn_head=dict(in_channels=8, feat_channels=8),
            roi_head=dict(
                bbox_roi_extractor=dict(out_channels=8),
                bbox_head=dict(in_channels=8, fc_out_channels=16),
            ),
            train_cfg=dict(
                rpn=dict(sampler=dict(num=8)),
                rpn_proposal=dict(max_per_img=16),
                rcnn=dict(sampler=dict(num=8)),
            ),
            test_cfg=dict(rpn=dict(max_per_img=16), rcnn=dict(max_per_img=16)),
        ),
        train_dataloader=dict(
            dataset=dict(data_root=data, ann_file='train.json'), **part
        ),
        val_dataloader=dict(
            dataset=dict(data_root=data, ann_file='test.json'), **part
        ),
        val_evaluator=dict(ann_file=f'{data}/test.json'),
        train_cfg=dict(max_epochs=epochs, val_interval=1),
        default_hooks=dict(checkpoint=dict(interval=1)),
    )


def eqlv2(data: str, epochs: int) -> dict:
    """A loss that counts while it trains; all parameters train."""
    config = detector(data, epochs)
    config['model']['roi_head']['bbox_head']['loss_cls'] = dict(
        _delete_=True, type='mmlt.EQLv2Loss'
    )
    return config


def second_stage(data: str, epochs: int) -> dict:
    """The classifier alone, on a model of random weights."""
    return dict(detector(data, epochs), load_from=f'{data}/first_stage.pth')


FASHION = 'resnet14-small_12e_fashion-mnist-lt-if100.py'
SCENES = 'faster-rcnn_r18-small_fpn'
MULTI_LABEL = (
    '_base_/models/resnet50_pfc.py',
    '_base_/datasets/fashion_scenes_multi_label.py',
    '_base_/schedules/multi-label_bs32_8e.py',
    '_base_/runtimes/default_runtime.py',
)
RUNS = {
    'ce': (classifier, f'baselines/ce_{FASHION}'),
    'bbn': (bbn, f'bbn/bbn_{FASHION}'),
    'deferred': (deferred, f'baselines/ce_{FASHION}'),
    'multi-label': (multi_label, *MULTI_LABEL),
    'eqlv2': (eqlv2, f'baselines/{SCENES}_12e_fashion-scenes.py'),
    'bags': (second_stage, f'bags/bags_{SCENES}_4e_fashion-scenes.py'),
}
"""For each training, what its config changes, and that of mmlt it is."""


def write_config(name: str, folder: Path, kills: int) -> Path:
    """Write the config of a training; each kill leaves it two epochs."""
    data = folder / 'data'
    change, *bases = RUNS[name]
    content = dict(
        _base_=[str(CONFIGS / base) for base in bases],
        **change(str(data), 2 * kills + 1),
        randomness=dict(seed=0),
        log_level='WARNING',
    )
    path = folder / f'{name}.py'
    path.write_text(
        '\n'.join(f'{key} = {value!r}' for key, value in content.items())
    )
    first_stage = data / 'first_stage.pth'
    if 'load_from' in content and not first_stage.exists():
        cfg = Config.fromfile(path)
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            model = MODELS.build(cfg.model)
        torch.save(dict(state_dict=model.state_dict()), first_stage)
    return path
