import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.models.utils import unpack_gt_instances
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData
from torch.testing import assert_close

C, WIDTH, SIZE = 3, 8, 64
CONFIGS = {
    'faster': 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'mask': 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    'cascade': 'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
    'htc': 'htc/htc-without-semantic_r50_fpn_1x_coco.py',
}
LOSS = dict(
    type='mmlt.BAGSLoss',
    num_classes=C,
    class_stats=[5, 50, 5000],
    thresholds=(10, 100),
)
K = C + 3 + 2
LOSSES = {f'loss_cls_group{group}' for group in range(4)}


def shrink(node):
    """Set the widths in a config to what a test can afford."""
    widths = dict(
        in_channels=WIDTH,
        out_channels=WIDTH,
        conv_out_channels=WIDTH,
        fc_out_channels=16,
        num_classes=C,
    )
    for key, value in node.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                shrink(item)
        if key in widths and isinstance(value, int):
            node[key] = widths[key]


def build_roi_head(name, **head):
    config = get_config(f'mmdet::{CONFIGS[name]}').model
    roi_head = config.roi_head
    shrink(roi_head)
    heads = roi_head.bbox_head
    for each in heads if isinstance(heads, list) else [heads]:
        each['loss_cls'] = copy.deepcopy(LOSS)
        each.update(head)
    torch.manual_seed(0)
    roi_head = MODELS.build(
        dict(
            roi_head,
            train_cfg=config.train_cfg.rcnn,
            test_cfg=config.test_cfg.rcnn,
            _scope_='mmdet',
        )
    )
    roi_head.init_weights()
    return roi_head


def box_heads(roi_head):
    heads = roi_head.bbox_head
    return heads if isinstance(heads, torch.nn.ModuleList) else [heads]


def make_inputs(objects=2):
    generator = torch.Generator().manual_seed(0)
    feats = [
        torch.randn(2, WIDTH, SIZE // s, SIZE // s, generator=generator)
        for s in (4, 8, 16, 32)
    ]
    samples, proposals = [], []
    for _ in range(2):
        corner = torch.randint(0, 30, (12, 2), generator=generator)
        size = torch.randint(10, 30, (12, 2), generator=generator)
        boxes = torch.cat([corner, corner + size], dim=1).float()
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(SIZE, SIZE),
                ori_shape=(SIZE, SIZE),
                scale_factor=(1.0, 1.0),
                batch_input_shape=(SIZE, SIZE),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=boxes[:objects] + 1,
            labels=torch.tensor([1, 2])[:objects],
            masks=BitmapMasks(
                np.ones((objects, SIZE, SIZE), np.uint8), SIZE, SIZE
            ),
        )
        samples.append(sample)
        proposals.append(
            InstanceData(
                bboxes=boxes,
                scores=torch.ones(12),
                labels=torch.zeros(12, dtype=torch.long),
            )
        )
    return feats, proposals, samples


@pytest.mark.parametrize('objects', [0, 2])
@pytest.mark.parametrize('name', CONFIGS)
def test_loss_of_stock_heads(name, objects):
    roi_head = build_roi_head(name)
    losses = roi_head.loss(*make_inputs(objects))
    stages = [f's{i}.' for i in range(3)] if '.' in str(list(losses)) else ['']
    for head, stage in zip(box_heads(roi_head), stages, strict=True):
        assert head.fc_cls.weight.shape == (K, 16)
        assert {stage + name for name in LOSSES} <= set(losses)
        assert f'{stage}acc_classes' in losses
    total = sum(
        value if torch.is_tensor(value) else sum(value)
        for name, value in losses.items()
        if 'loss' in name
    )
    total.backward()
    for head in box_heads(roi_head):
        grad = head.fc_cls.weight.grad
        assert grad.isfinite().all()
        # Without objects, only group 0 learns.
        assert bool(grad[:C].any()) == bool(objects)
        assert grad[-2:].any()


@pytest.mark.parametrize('name', CONFIGS)
def test_predictions_of_stock_heads(name):
    roi_head = build_roi_head(name).eval()
    feats, proposals, samples = make_inputs()
    with torch.no_grad():
        results = roi_head.predict(
            tuple(feats), copy.deepcopy(proposals), samples
        )
        for result in results:
            assert len(result.scores)
            assert ((result.scores > 0) & (result.scores < 1)).all()
            assert set(result.labels.tolist()) <= set(range(C))
        # The best box of the raw scores survives the suppression.
        metas = unpack_gt_instances(samples)[2]
        raw = roi_head.predict_bbox(
            tuple(feats), metas, proposals, rcnn_test_cfg=None
        )
    for result, scores in zip(results, raw, strict=True):
        assert scores.scores.shape == (12, C + 1)
        assert_close(result.scores.max(), scores.scores[:, :-1].max())


@pytest.mark.parametrize('kind', ['Shared2FCBBoxHead', 'mmlt.BAGSBBoxHead'])
def test_predict_by_feat_scores(kind):
    head = build_head(kind)
    rois = torch.tensor([[0, 4, 4, 20, 20], [0, 8, 8, 40, 40.0]])
    scores = torch.randn(2, K)
    (result,) = head.predict_by_feat(
        (rois,),
        (scores,),
        (torch.zeros(2, 4 * C),),
        [dict(img_shape=(SIZE, SIZE))],
    )
    foreground = scores[:, -2:].softmax(1)
    # Class c is alone with the "others" of group c.
    expected = torch.stack(
        [scores[:, [c, C + c]].softmax(1)[:, 0] for c in range(C)], dim=1
    )
    expected = torch.cat(
        [expected * foreground[:, :1], foreground[:, 1:]], dim=1
    )
    assert_close(result.scores, expected)
    assert_close(result.bboxes, rois[:, 1:].repeat(1, C))


def build_head(kind='mmlt.BAGSBBoxHead', **kwargs):
    config = dict(
        type=kind,
        in_channels=WIDTH,
        fc_out_channels=16,
        num_classes=C,
        roi_feat_size=7,
        loss_cls=copy.deepcopy(LOSS),
        _scope_='mmdet',
    )
    config.update(kwargs)
    return MODELS.build(config)


def test_cascade_refines_by_the_activation():
    head = build_head('Shared2FCBBoxHead')
    rois = torch.tensor([[0, 10, 10, 30, 30.0]])
    # The highest logit is that of class 0, but in its group "others" wins.
    scores = torch.zeros(1, K)
    scores[0, [0, C, 1]] = torch.tensor([9.0, 20.0, 3.0])
    boxes = torch.zeros(1, 4 * C)
    boxes[0, 4:8] = torch.tensor([1.0, 0, 0, 0])  # class 1 moves right
    sampled = InstanceData(pos_is_gt=torch.zeros(0, dtype=torch.uint8))
    (result,) = head.refine_bboxes(
        [sampled],
        dict(
            bbox_targets=(torch.tensor([C]),),
            cls_score=scores,
            rois=rois,
            bbox_pred=boxes,
        ),
        [dict(img_shape=(SIZE, SIZE))],
    )
    # 0.1 (the coder's deviation) of 20 pixels.
    assert_close(result.bboxes, rois[:, 1:] + torch.tensor([2.0, 0, 2, 0]))


@pytest.mark.parametrize('head', ['Shared2FCBBoxHead', 'mmlt.BAGSBBoxHead'])
@pytest.mark.parametrize('name', ['faster', 'cascade'])
def test_heads_log_the_accuracy_of_each_group(name, head):
    roi_head = build_roi_head(name, type=head)
    losses = roi_head.loss(*make_inputs())
    stage = 's2.' if name == 'cascade' else ''
    for group in (1, 2, 3):
        assert 0 <= losses[f'{stage}acc_group{group}'] <= 100
    assert f'{stage}acc_group0' not in losses


def test_group_accuracy_by_hand():
    head = build_head()
    labels = torch.tensor([1, 1, 2, C])
    scores = torch.zeros(4, K)
    # "Others" wins over class 1, which is in group 2, in the second box.
    scores[0, 1] = scores[1, C + 1] = scores[2, 2] = 5
    losses = head.loss(
        scores, None, torch.zeros(4, 5), labels, torch.ones(4), None, None
    )
    assert losses['acc_group1'] == 0
    assert losses['acc_group2'] == 50
    assert losses['acc_group3'] == 100


def test_head_tells_the_loss_its_classes():
    head = build_head(loss_cls=None)
    assert head.loss_cls.num_classes == C
    assert head.fc_cls.out_features == C + 4 + 2
    assert head.loss_cls.class_stats is None


def test_cosine_classifier():
    head = build_head(cosine_scale=20.0)
    x = torch.randn(4, WIDTH, 7, 7)
    torch.nn.init.normal_(head.fc_cls.weight)
    before, _ = head(x)
    with torch.no_grad():
        head.fc_cls.weight *= 7
    after, _ = head(x)
    assert_close(before, after)
    assert before.abs().max() <= 20


def test_bad_arguments():
    with pytest.raises(ValueError, match='cosine_scale'):
        build_head(cosine_scale=-1.0)
    with pytest.raises(ValueError, match='num_classes=3'):
        build_head(loss_cls=dict(LOSS, num_classes=4, class_stats=None))
    with pytest.raises(TypeError, match=r'mmlt\.BAGSLoss'):
        build_head(loss_cls=ConfigDict(type='mmdet.CrossEntropyLoss'))


README = Path(__file__).parents[3] / 'configs' / 'bags' / 'README.md'
BLOCKS = re.findall(r'```python\n(.*?)```', README.read_text(), re.DOTALL)


@pytest.mark.parametrize('loss', ['BAGSLoss', 'EQLv2Loss', 'SeesawLoss'])
def test_three_lines_of_the_readme(tmp_path, loss):
    base = get_config(f'mmdet::{CONFIGS["faster"]}')
    base.model.backbone.init_cfg = None
    base.dump(tmp_path / 'my_faster-rcnn.py')
    path = tmp_path / 'my_config.py'
    path.write_text(BLOCKS[0].replace('BAGSLoss', loss))
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(Config.fromfile(path).model)
    head = model.roi_head.bbox_head
    assert type(head.loss_cls).__name__ == loss
    assert head.loss_cls.num_classes == 80
    assert head.fc_cls.out_features == head.loss_cls.num_columns
