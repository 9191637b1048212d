"""Features of RoIs, as the last layers of a box head see them."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from mmdet.structures.bbox import bbox2roi
from mmengine.config import Config
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmlt.models.unwrap import unwrap

from .features import _inner_datasets


def views_of_training(cfg: Config) -> list[dict]:
    """Data loaders of the training images, each image once, in order.

    One for the images as they are and one for their mirror images, if the
    pipeline has ``RandomFlip``.

    Args:
        cfg (Config): Of a detector. What else is random in the pipeline is
            drawn once.
    """
    loader = copy.deepcopy(cfg.train_dataloader)
    loader.pop('batch_sampler', None)
    loader.update(
        sampler=dict(type='DefaultSampler', shuffle=False), drop_last=False
    )
    flips = [
        transform
        for dataset in _inner_datasets(loader.dataset)
        for transform in dataset.pipeline
        if transform.type.endswith('RandomFlip')
    ]
    loaders = []
    for prob in (0.0, 1.0) if flips else (None,):
        for flip in flips:
            flip.prob = prob
        loaders.append(copy.deepcopy(loader))
    return loaders


@torch.no_grad()
def extract_roi_features(
    model: nn.Module, dataloader: DataLoader, training: bool
) -> Iterator[dict]:
    """What a two-stage detector hands to its classifier, image by image.

    Args:
        model (nn.Module): Detector of MMDetection, wrapped or not; put in
            evaluation mode, as its frozen parts are in a second stage.
        dataloader (DataLoader): Of the images.
        training (bool): Take the proposals of training, and the true boxes
            before them.

    Yields:
        dict: ``img_id``, ``img_shape``, ``scale_factor``; ``boxes`` (R, 4) in
        the image that the network saw, ``labels`` (R,), -1 for proposals, and
        ``features`` (R, D) of the last shared layer, before its ReLU.

    Raises:
        ValueError: If the box head has no shared fully connected layers.
    """
    model = unwrap(model).eval()
    head = getattr(getattr(model, 'roi_head', None), 'bbox_head', None)
    if not getattr(head, 'num_shared_fcs', 0):
        raise ValueError(
            'the box head of the model has no shared fully connected layers, '
            f'whose output is wanted: {type(head).__name__}; give a detector '
            'of one stage of boxes, with a head such as Shared2FCBBoxHead'
        )
    seen: list[Tensor] = []
    # A copy: the ReLU works in place.
    hook = head.shared_fcs[-1].register_forward_hook(
        lambda module, args, output: seen.append(output.clone())
    )
    part = model.train_cfg.rpn_proposal if training else model.test_cfg.rpn
    try:
        for batch in dataloader:
            data = model.data_preprocessor(batch, False)
            samples = data['data_samples']
            maps = model.extract_feat(data['inputs'])
            proposals = model.rpn_head.predict_by_feat(
                *model.rpn_head(maps),
                batch_img_metas=[sample.metainfo for sample in samples],
                cfg=part,
            )
            boxes, labels = [], []
            for sample, proposal in zip(samples, proposals, strict=True):
                box = proposal.bboxes
                label = torch.full_like(proposal.labels, -1)
                if training:
                    known = sample.gt_instances
                    box = torch.cat([known.bboxes, box])
                    label = torch.cat([known.labels, label])
                boxes.append(box)
                labels.append(label)
            model.roi_head._bbox_forward(maps, bbox2roi(boxes))
            features = seen.pop().split([len(box) for box in boxes])
            for index, sample in enumerate(samples):
                yield dict(
                    img_id=sample.img_id,
                    img_shape=sample.img_shape[:2],
                    scale_factor=sample.get('scale_factor', (1.0, 1.0)),
                    boxes=boxes[index].cpu().numpy(),
                    labels=labels[index].cpu().numpy(),
                    features=features[index].cpu().numpy(),
                )
    finally:
        hook.remove()
