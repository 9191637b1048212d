"""The two stages of BAGS: a detector, then a new classifier on top of it."""

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch.utils.data import Dataset

import mmlt

CONFIGS = Path(mmlt.__file__).parent / '.mim' / 'configs'
PAIRS = {
    'faster': 'faster-rcnn_r50_fpn_1x_lvis-v1.py',
    'cascade': 'cascade-rcnn_x101-64x4d_fpn_1x_lvis-v1.py',
}
COUNTS = [5, 50, 500, 5000]
C, K, SIZE = 4, 4 + 4 + 2, 64
WIDTHS = dict(
    in_channels=8,
    feat_channels=8,
    out_channels=8,
    fc_out_channels=16,
    num_classes=C,
)


class Scenes(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        image = torch.randint(0, 256, (3, SIZE, SIZE), generator=generator)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(SIZE, SIZE),
                ori_shape=(SIZE, SIZE),
                scale_factor=(1.0, 1.0),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[4.0, 4, 30, 40], [20, 10, 60, 50]]),
            labels=torch.tensor([index, 3]),
        )
        return dict(inputs=image.byte(), data_samples=sample)


def shrink(node):
    for key, value in node.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                shrink(item)
        if key in WIDTHS and isinstance(value, int):
            node[key] = WIDTHS[key]


def small_config(path):
    cfg = Config.fromfile(CONFIGS / path)
    model = cfg.model
    shrink(model)
    model.backbone.update(depth=50, base_channels=4, init_cfg=None)
    if model.backbone.type == 'ResNeXt':
        model.backbone.update(groups=2, base_width=2)
    model.neck.in_channels = [16, 32, 64, 128]
    return cfg


def save_baseline(name, folder):
    torch.manual_seed(0)
    model = MODELS.build(small_config(f'baselines/{PAIRS[name]}').model)
    model.init_weights()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
    torch.save({'state_dict': model.state_dict()}, folder / 'baseline.pth')
    return model


def make_runner(name, folder):
    cfg = small_config(f'bags/bags_{PAIRS[name]}')
    hooks = cfg.default_hooks
    return Runner(
        model=cfg.model,
        work_dir=str(folder),
        train_dataloader=dict(
            dataset=Scenes(),
            batch_size=2,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=cfg.optim_wrapper,
        custom_hooks=[
            hooks.trainable_parts,
            dict(hooks.class_stats, class_stats=dict(
                image_count=COUNTS, instance_count=COUNTS, num_images=5000,
            )),
        ],
        load_from=str(folder / 'baseline.pth'),
        default_scope='mmdet',
        experiment_name=str(folder),
    )  # fmt: skip


@torch.no_grad()
def proposals_and_boxes(model):
    """RPN proposals of two images, and what each box head predicts there."""
    model.eval()
    items = [Scenes()[index] for index in range(2)]
    batch = {key: [item[key] for item in items] for key in items[0]}
    data = model.data_preprocessor(batch)
    feats = model.extract_feat(data['inputs'])
    proposals = model.rpn_head.predict(
        feats, data['data_samples'], rescale=False
    )
    boxes = [each.bboxes for each in proposals]
    rois = bbox2roi(boxes)
    head = model.roi_head
    cascade = isinstance(head.bbox_head, torch.nn.ModuleList)
    stages = [(i,) for i in range(3)] if cascade else [()]
    return boxes, [head._bbox_forward(*stage, feats, rois) for stage in stages]


@pytest.fixture(autouse=True)
def _no_environment_report(monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


@pytest.mark.parametrize('name', PAIRS)
def test_only_the_classifier_differs_from_the_baseline(name, tmp_path):
    with DefaultScope.overwrite_default_scope('mmdet'):
        baseline = save_baseline(name, tmp_path)
    runner = make_runner(name, tmp_path)
    fresh = {
        layer: module.weight.clone()
        for layer, module in runner.model.named_modules()
        if layer.endswith('fc_cls')
    }
    runner.train()

    before, after = baseline.state_dict(), runner.model.state_dict()
    differing = {
        key for key in before
        if before[key].shape != after[key].shape
        or not before[key].equal(after[key])
    }  # fmt: skip
    assert differing == {
        f'{layer}.{part}' for layer in fresh for part in ('weight', 'bias')
    }
    for layer, weight in fresh.items():
        assert after[f'{layer}.weight'].shape == (K, 16)
        assert not after[f'{layer}.weight'].equal(weight)

    boxes, outputs = proposals_and_boxes(baseline)
    same_boxes, other_outputs = proposals_and_boxes(runner.model)
    assert len(boxes[0])
    for one, two in zip(boxes, same_boxes, strict=True):
        assert one.equal(two)
    assert len(outputs) == len(fresh) == (3 if name == 'cascade' else 1)
    for one, two in zip(outputs, other_outputs, strict=True):
        assert one['bbox_pred'].equal(two['bbox_pred'])
        assert one['cls_score'].size(1) == C + 1
        assert two['cls_score'].size(1) == K

    (log,) = Path(runner.log_dir).glob('*.log')
    log = log.read_text()
    assert 'Trained afresh, not loaded: ' in log
    for layer in fresh:
        assert (
            f'{layer}.weight ({K}, 16), in the checkpoint ({C + 1}, 16)'
        ) in log
    assert 'Frozen at random values' not in log
