"""The losses that positives have in the heads of MMDetection.

P positives, R RoIs or anchors, L losses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.dense_heads import AnchorHead, ATSSHead, FCOSHead
from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.task_modules.samplers import PseudoSampler
from mmdet.structures.bbox import cat_boxes, get_box_tensor
from torch import Tensor, nn


def box_area(boxes: Tensor) -> Tensor:
    """(P,) areas of (P, 4) corners."""
    return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)


def first_rows(mask: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Where a mask is true, without waiting for the device.

    Args:
        mask (Tensor): (R,) bool.
        number (int): Rows to return, at least as many as are true.

    Returns:
        tuple: (number,) rows in rising order, and (number,) bool, False where
        there was no row left.
    """
    rank = mask.cumsum(0)
    place = torch.where(mask, rank - 1, number)
    rows = rank.new_zeros(number + 1)
    rows.scatter_(0, place, torch.arange(len(mask), device=mask.device))
    taken = torch.arange(number, device=mask.device) < mask.sum()
    return rows[:-1], taken


class Inputs(NamedTuple):
    """What a loss of MMDetection is called with."""

    pred: Tensor
    target: Tensor
    weight: Tensor | None = None
    avg_factor: Any = None
    reduction_override: str | None = None

    def losses(self, loss: nn.Module, rows: Tensor | slice) -> Tensor:
        """(P,) losses of rows, as parts of the whole."""
        weight = None if self.weight is None else self.weight[rows]
        # With weights, box losses look whether all are 0, and wait for it.
        value = loss.forward(
            self.pred[rows], self.target[rows], reduction_override='none'
        ).float()
        if weight is not None:
            if weight.dim() > value.dim():
                weight = weight.mean(dim=-1)
            elif weight.dim() < value.dim():
                weight = weight.unsqueeze(-1)
            value = value * weight
        if value.dim() > 1:
            value = value.sum(dim=1)
        return value / self.avg_factor


class Positives(NamedTuple):
    """Areas (P,) of objects, the rows of their positives, and which count."""

    area: Tensor
    rows: Tensor
    taken: Tensor


class LossReader:
    """Reads the losses of a head, called for classes and then for boxes.

    Args:
        head (nn.Module): With ``loss_cls`` and ``loss_bbox``.
        losses (Sequence[str]): ``'box'``, ``'cls'`` or both.
        weight (float): Factor of the losses.
        add (Callable): Takes (L, P) losses and (P,) areas.
    """

    # Whether boxes have the rows of scores, or are those of positives.
    all_boxes = False

    def __init__(
        self,
        head: nn.Module,
        losses: Sequence[str],
        weight: float,
        add: Callable[[Tensor, Tensor], None],
    ) -> None:
        self.num_classes = head.num_classes
        self.losses = losses
        self.weight = weight
        self.add = add
        self.positives: list[Positives] = []
        head.loss_cls.register_forward_pre_hook(
            self._before_cls, with_kwargs=True
        )
        head.loss_bbox.register_forward_hook(self._after_box, with_kwargs=True)

    def next_positives(self, boxes: Tensor, labels: Tensor) -> Positives:
        """Those of the present call, of ground-truth boxes and (R,) labels."""
        return self.positives.pop(0)

    def is_positive(self, labels: Tensor) -> Tensor:
        """(R,) bool: not the background, which is the last class."""
        return (labels >= 0) & (labels < self.num_classes)

    @torch.compiler.disable
    def _before_cls(self, loss: nn.Module, args: tuple, kwargs: dict) -> None:
        # As it is before the call, after which it may have counted.
        still = copy.copy(loss)
        still.training = False
        still._buffers = {
            name: None if buffer is None else buffer.clone()
            for name, buffer in loss._buffers.items()
        }
        inputs = Inputs(*args, **kwargs)
        # Without a positive, it is kept until the next step.
        self._cls = still, inputs._replace(pred=inputs.pred.detach())

    @torch.compiler.disable
    @torch.no_grad()
    def _after_box(
        self, loss: nn.Module, args: tuple, kwargs: dict, output: Tensor
    ) -> None:
        box = Inputs(*args, **kwargs)
        # A head's other use of it, as CARL has.
        if not loss.training or box.reduction_override is not None:
            return
        loss_cls, cls = self._cls
        area, rows, taken = self.next_positives(box.target, cls.target)
        if not len(area):
            return
        box_rows = rows if self.all_boxes else slice(None)
        parts = {
            'box': (box, loss, box_rows),
            'cls': (cls, loss_cls, rows),
        }
        values = []
        for name in self.losses:
            inputs, module, where = parts[name]
            values.append(inputs.losses(module, where))
        values = torch.stack(values).masked_fill(~taken, 0)
        self.add(self.weight * values, area)


class _SampledReader(LossReader):
    """Of RoIs, whose targets are those of a sampler."""

    def __init__(self, head: nn.Module, *args: Any) -> None:
        super().__init__(head, *args)
        get_targets = head.get_targets

        def get_and_read(*args: Any, **kwargs: Any) -> tuple:
            targets = get_targets(*args, **kwargs)
            self._read(targets[0], *args, **kwargs)
            return targets

        head.get_targets = get_and_read

    @torch.compiler.disable
    def _read(self, labels: Tensor, samples: list, *_: Any, **__: Any) -> None:
        self.positives = [self.of_samples(labels, samples)]

    def of_samples(self, labels: Tensor, samples: list) -> Positives:
        """Positives come in the order of their rows."""
        boxes = cat_boxes([sample.pos_gt_bboxes for sample in samples])
        area = box_area(get_box_tensor(boxes))
        found = first_rows(self.is_positive(labels), len(area))
        return Positives(area, *found)


class _AnchorReader(_SampledReader):
    """Of anchors: one call a level, of all anchors."""

    all_boxes = True

    def __init__(self, head: nn.Module, *args: Any) -> None:
        super().__init__(head, *args)
        self.known = head._raw_positive_infos

    @torch.compiler.disable
    def _read(self, levels: list[Tensor], *_: Any, **__: Any) -> None:
        # (B, A) labels of the anchors of all levels.
        labels = torch.cat(levels, dim=1)
        samples = self.known['sampling_results']
        area, rows, _ = self.of_samples(labels.flatten(), samples)
        image, anchor = rows // labels.size(1), rows % labels.size(1)
        self.positives = []
        for level in levels:
            width = level.size(1)
            taken = (anchor >= 0) & (anchor < width)
            row = torch.where(taken, image * width + anchor, 0)
            self.positives.append(Positives(area, row, taken))
            anchor = anchor - width


class _PointReader(LossReader):
    """Of positives whose targets are boxes."""

    def next_positives(self, boxes: Tensor, labels: Tensor) -> Positives:
        positive = self.is_positive(labels)
        return Positives(box_area(boxes), *first_rows(positive, len(boxes)))


def heads_and_weights(
    model: nn.Module,
) -> Iterator[tuple[nn.Module | None, float]]:
    """The heads of a detector, of each stage, and factors of their losses."""
    roi_head = getattr(model, 'roi_head', None)
    if isinstance(roi_head, CascadeRoIHead):
        weights = roi_head.stage_loss_weights
        yield from zip(roi_head.bbox_head, weights, strict=True)
    elif isinstance(roi_head, StandardRoIHead):
        yield roi_head.bbox_head, 1.0
    else:
        yield getattr(model, 'bbox_head', roi_head), 1.0


def reader_of(head: nn.Module | None) -> type[LossReader]:
    """What can read a head: known methods, that it does not replace.

    Raises:
        TypeError: If there is none.
    """
    of_level = ('loss_by_feat', 'loss_by_feat_single')
    of_image = ('get_targets', '_get_targets_single')
    for base, methods, reader in (
        (BBoxHead, ('loss', 'loss_and_target', *of_image), _SampledReader),
        (ATSSHead, of_level, _PointReader),
        (AnchorHead, of_level + of_image, _AnchorReader),
        (FCOSHead, of_level[:1], _PointReader),
    ):
        if isinstance(head, base) and all(
            getattr(type(head), name) is getattr(base, name)
            for name in methods
        ):
            sampler = getattr(head, 'sampler', None)
            if reader is _AnchorReader and type(sampler) is not PseudoSampler:
                continue
            if not getattr(head, 'with_reg', True):
                continue
            return reader
    raise TypeError(
        f'the losses of {type(head).__name__} cannot be read by size; known '
        'are the box heads of StandardRoIHead and CascadeRoIHead, and '
        'RetinaHead, ATSSHead, FCOSHead and what keeps their losses'
    )
