"""Shares of the losses by size, against a loop over boxes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.losses import FocalLoss, GIoULoss, SmoothL1Loss
from mmdet.structures import DetDataSample
from mmengine.hub import get_config
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from mmlt.models.loss_readers import first_rows
from mmlt.models.size_shares import SizeShares, size_sums

C, WIDTH, SIDE = 3, 8, 128
BOUNDS = (32**2, 64**2)
CONFIGS = dict(
    faster='faster_rcnn/faster-rcnn_r50_fpn_1x_coco',
    cascade='cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco',
    retina='retinanet/retinanet_r50_fpn_1x_coco',
    atss='atss/atss_r50_fpn_1x_coco',
    fcos='fcos/fcos_r50-caffe_fpn_gn-head_1x_coco',
    gfl='gfl/gfl_r50_fpn_1x_coco',
    detr='detr/detr_r50_8xb2-150e_coco',
)
# Of exactly 32 x 32 and 64 x 64, below, between and above.
BOXES = [
    [[4, 4, 36, 36], [0, 0, 20, 20], [40, 40, 104, 104]],
    [[8.5, 20, 120, 125.5], [60, 4, 91, 35], [3, 3, 50, 50]],
]


def shrink(node):
    widths = dict(
        in_channels=WIDTH,
        out_channels=WIDTH,
        feat_channels=WIDTH,
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


def build(name, change=None):
    config = get_config(f'mmdet::{CONFIGS[name]}.py').model
    shrink(config)
    config.backbone = dict(type='ResNet', depth=18, base_channels=4)
    config.neck.in_channels = [4, 8, 16, 32]
    if 'norm_cfg' in config.get('bbox_head', {}):
        config.bbox_head.norm_cfg = None
    if name == 'fcos':
        config.bbox_head.norm_cfg = dict(type='GN', num_groups=2)
    if name == 'atss':
        config.bbox_head.stacked_convs = 0
    if change is not None:
        change(config)
    torch.manual_seed(0)
    model = MODELS.build(dict(config, _scope_='mmdet'))
    model.init_weights()
    return model.train()


def make_samples(boxes=BOXES):
    samples = []
    for corners in boxes:
        corners = torch.tensor(corners).float().reshape(-1, 4)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(SIDE, SIDE),
                batch_input_shape=(SIDE, SIDE),
                pad_shape=(SIDE, SIDE),
                scale_factor=(1, 1),
            ),
            gt_instances=InstanceData(
                bboxes=corners, labels=torch.arange(len(corners)) % C
            ),
            ignored_instances=InstanceData(
                bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long()
            ),
        )
        samples.append(sample)
    return samples


def step(model, samples=None, seed=0):
    torch.manual_seed(seed)
    images = torch.randn(2, 3, SIDE, SIDE)
    return model.loss(images, samples or make_samples())


def total(losses, name):
    parts = [
        value
        for key, value in losses.items()
        if key.endswith(f'loss_{name}') and 'rpn' not in key
    ]
    return sum(sum(x) if isinstance(x, (list, tuple)) else x for x in parts)


def of_size(area):
    return sum(area >= bound for bound in BOUNDS)


def loop_two_stage(model, run):
    """Sums box by box, of what the box heads got in a step."""
    heads = model.roi_head.bbox_head
    weights = [1.0]
    if isinstance(heads, torch.nn.ModuleList):
        weights = model.roi_head.stage_loss_weights
    else:
        heads = [heads]
    got = []
    for head in heads:
        stock = head.loss_and_target

        def spy(*, cls_score, bbox_pred, sampling_results, _=stock, **kwargs):
            got.append((cls_score, bbox_pred, sampling_results))
            return _(
                cls_score=cls_score,
                bbox_pred=bbox_pred,
                sampling_results=sampling_results,
                **kwargs,
            )

        head.loss_and_target = spy
    run()
    sums = {name: [0.0] * 3 for name in ('box', 'cls')}
    for head, weight, (scores, deltas, samples) in zip(
        heads, weights, got, strict=True
    ):
        row = 0
        number = len(scores)
        for sample in samples:
            for k, prior in enumerate(sample.pos_priors):
                box = sample.pos_gt_bboxes[k]
                label = int(sample.pos_gt_labels[k])
                area = float((box[2] - box[0]) * (box[3] - box[1]))
                target = head.bbox_coder.encode(prior[None], box[None])
                delta = deltas[row + k].view(-1, 4)
                delta = delta[0 if len(delta) == 1 else label]
                if isinstance(head.loss_bbox, SmoothL1Loss):
                    box_loss = F.smooth_l1_loss(
                        delta, target[0], reduction='sum'
                    )
                else:
                    box_loss = (delta - target[0]).abs().sum()
                cls_loss = -scores[row + k].log_softmax(0)[label]
                size = of_size(area)
                for name, loss in (('box', box_loss), ('cls', cls_loss)):
                    sums[name][size] += loss.item() * weight / number
            row += len(sample.pos_priors) + len(sample.neg_priors)
    return {name: torch.tensor(value) for name, value in sums.items()}


@pytest.mark.parametrize('name', ['faster', 'cascade'])
def test_two_stage_is_a_loop_over_boxes(name):
    model = build(name)
    shares = SizeShares(model, BOUNDS)
    losses = {}
    expected = loop_two_stage(model, lambda: losses.update(step(model)))
    sums = shares.take()
    for part in ('box', 'cls'):
        assert (expected[part] > 0).all()
        assert_close(sums[part], expected[part], rtol=1e-6, atol=1e-7)
    assert_close(sums['box'].sum(), total(losses, 'bbox').detach())
    # All of a step, and nothing twice.
    assert shares.take()['box'].sum() == 0


def focal(logits, label):
    positive = F.one_hot(torch.tensor(label), C).to(logits)
    p = logits.sigmoid()
    pt = torch.where(positive > 0, p, 1 - p)
    alpha = torch.where(positive > 0, 0.25, 0.75)
    return (-alpha * (1 - pt) ** 2 * pt.log()).sum()


def loop_retina(model, run):
    """Sums anchor by anchor, matched anew by the boxes' overlaps."""
    head = model.bbox_head
    stock, got = head.loss_by_feat, []

    def spy(cls_scores, bbox_preds, gts, metas, *rest):
        got.append((cls_scores, bbox_preds, gts, metas))
        return stock(cls_scores, bbox_preds, gts, metas, *rest)

    head.loss_by_feat = spy
    run()
    scores, deltas, gts, metas = got[0]
    sizes = [score.shape[-2:] for score in scores]
    anchors, _ = head.get_anchors(sizes, metas, device='cpu')
    sums = {name: [0.0] * 3 for name in ('box', 'cls')}
    number = 0
    for image, gt in enumerate(gts):
        flat = [
            [
                each[image].permute(1, 2, 0).reshape(-1, width)
                for each in levels
            ]
            for levels, width in ((scores, C), (deltas, 4))
        ]
        logits, delta = (torch.cat(each) for each in flat)
        priors = torch.cat(anchors[image])
        matched = head.assigner.assign(InstanceData(priors=priors), gt)
        for k in range(len(priors)):
            index = int(matched.gt_inds[k]) - 1
            if index < 0:
                continue
            number += 1
            box, label = gt.bboxes[index], int(gt.labels[index])
            size = of_size(float((box[2] - box[0]) * (box[3] - box[1])))
            target = head.bbox_coder.encode(priors[k : k + 1], box[None])
            sums['box'][size] += (delta[k] - target[0]).abs().sum().item()
            sums['cls'][size] += focal(logits[k], label).item()
    return {name: torch.tensor(value) / number for name, value in sums.items()}


def test_retina_net_is_a_loop_over_anchors():
    model = build('retina')
    shares = SizeShares(model, BOUNDS)
    losses = {}
    expected = loop_retina(model, lambda: losses.update(step(model)))
    sums = shares.take()
    for part in ('box', 'cls'):
        assert (expected[part] > 0).all()
        assert_close(sums[part], expected[part], rtol=1e-6, atol=1e-7)
    assert_close(sums['box'].sum(), total(losses, 'bbox').detach())


@pytest.mark.parametrize('name', ['atss', 'fcos'])
def test_heads_of_boxes(name):
    """All of the box loss; nothing of sizes that there are not."""
    model = build(name)
    shares = SizeShares(model, BOUNDS)
    losses = step(model)
    sums = shares.take()
    whole = total(losses, 'bbox').detach()
    if name == 'fcos':
        assert_close(sums['box'].sum(), whole)
    assert (sums['box'] > 0).all()
    assert (sums['cls'] > 0).all()
    step(model, make_samples([[[4, 4, 20, 20]], [[8, 8, 30, 30]]]))
    for value in shares.take().values():
        assert value[0] > 0
        assert value[1:].sum() == 0


def decoded(config):
    for head in (config.roi_head.bbox_head,):
        head.reg_decoded_bbox = True
        head.loss_bbox = dict(type='GIoULoss', loss_weight=10.0)


def test_losses_of_decoded_boxes():
    model = build('faster', decoded)
    assert isinstance(model.roi_head.bbox_head.loss_bbox, GIoULoss)
    shares = SizeShares(model, BOUNDS)
    losses = step(model)
    sums = shares.take()['box']
    assert (sums > 0).all()
    assert_close(sums.sum(), total(losses, 'bbox').detach())


@pytest.mark.parametrize('name', ['cascade', 'retina'])
def test_training_is_as_without(name):
    """Losses, gradients, random numbers; images without an object."""
    model = build(name)
    measured = copy.deepcopy(model)
    shares = SizeShares(measured)
    for samples in (None, make_samples([[], []])):
        results = []
        for each in (model, measured):
            loss, _ = each.parse_losses(step(each, samples))
            each.zero_grad()
            loss.backward()
            grads = [p.grad for p in each.parameters() if p.grad is not None]
            results.append((loss, grads, torch.rand(1)))
        assert_close(*results, rtol=0, atol=0)
    # The first step is the only one with positives.
    assert shares.take()['box'].sum() > 0
    step(measured, make_samples([[], []]))
    assert shares.take()['box'].tolist() == [0, 0, 0]


class Waits(TorchDispatchMode):
    """Counts what would wait for a GPU: values and numbers of values."""

    names = ('_local_scalar_dense', 'nonzero', 'masked_select', 'equal')

    def __init__(self):
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.split('::')[1]
        self.number += name in self.names
        if name.startswith('index'):
            indices = args[1] if isinstance(args[1], list) else []
            dtypes = [x.dtype for x in indices if x is not None]
            self.number += torch.bool in dtypes
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize('name', ['faster', 'cascade', 'retina', 'fcos'])
def test_nothing_waits_for_the_device(name):
    # On a CPU, and there only, MMDetection's focal loss looks at the labels.
    model = build(name, counting if name in ('retina', 'fcos') else None)
    step(model)  # In the first one, targets are looked at.
    with Waits() as stock:
        step(model)
    shares = SizeShares(model)
    with Waits() as measured:
        step(model)
        shares.take()
    assert stock.number > 5
    assert measured.number == stock.number


def counting(config):
    config.bbox_head.loss_cls = dict(
        type='mmlt.EQLv2Loss', use_sigmoid=True, num_classes=C
    )


def test_counters_count_once():
    model = build('retina', counting)
    measured = copy.deepcopy(model)
    SizeShares(measured)
    for each in (model, measured):
        step(each)
    gradients = model.bbox_head.loss_cls.gradients
    assert gradients.sum() > 0
    assert_close(measured.bbox_head.loss_cls.gradients, gradients)


def test_no_loss_is_measured_in_evaluation():
    model = build('faster')
    shares = SizeShares(model, losses=('box',))
    model.eval()
    step(model)
    assert shares.take()['box'].sum() == 0


def test_two_bounds_and_one():
    value = torch.tensor([1.0, 2.0, 4.0, 8.0])
    area = torch.tensor([1023.0, 1024.0, 9216.0, 9215.0])
    assert size_sums(value, area, (1024, 9216)).tolist() == [1, 10, 4]
    assert size_sums(value, area, (9216,)).tolist() == [11, 4]


def test_first_rows():
    mask = torch.tensor([False, True, False, True])
    rows, taken = first_rows(mask, 3)
    assert rows.tolist()[:2] == [1, 3]
    assert taken.tolist() == [True, True, False]


@pytest.mark.parametrize('name', ['gfl', 'detr'])
def test_unknown_heads(name):
    config = get_config(f'mmdet::{CONFIGS[name]}.py').model
    config.backbone.init_cfg = None
    with pytest.raises(TypeError, match='cannot be read by size'):
        SizeShares(MODELS.build(dict(config, _scope_='mmdet')))


def test_bad_arguments():
    model = build('faster')
    for bounds in ((), (2, 2), (-1.0,), (4, 1)):
        with pytest.raises((TypeError, ValueError), match='bounds'):
            SizeShares(model, bounds)
    with pytest.raises(ValueError, match='losses must hold'):
        SizeShares(model, losses=('mask',))
    model.roi_head.bbox_head.loss_cls = MODELS.build(
        dict(type='mmlt.FederatedLoss')
    )
    with pytest.raises(TypeError, match='FederatedLoss is one of a batch'):
        SizeShares(model)
    SizeShares(model, losses=('box',))
    with pytest.raises(TypeError, match='FocalLoss cannot be read'):
        SizeShares(torch.nn.ModuleDict({'bbox_head': FocalLoss()}))
