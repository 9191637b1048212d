"""RoI head on features that were computed before.

N images, up to R RoIs in each, D channels.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmengine.config import ConfigDict
from torch import Tensor, nn

from mmlt.registry import MODELS


class TrueRows(nn.Module):
    """RoI extractor of features that were read: the rows that are no padding.

    Takes the features of all images, (N, 1, R, D), whose first RoIs are
    meant, or those of the RoIs, one row each, which it returns as they are.
    """

    num_inputs = 1

    def forward(self, x: tuple[Tensor], rois: Tensor) -> Tensor:
        """(sum of RoIs, D), in the order of ``rois`` (sum of RoIs, 5)."""
        (features,) = x
        if features.dim() == 2:
            return features
        number = rois[:, 0].long().bincount(minlength=len(features))
        position = torch.arange(features.size(2), device=features.device)
        return features[:, 0][position < number[:, None]]


@MODELS.register_module()
class RoIFeatureHead(StandardRoIHead):
    """Assign, sample, train and test RoIs whose features were read.

    The box head is that of the detector, behind its shared layers: its
    classifier, box regression, losses and post-processing are as they are. A
    second stage that freezes all but the classifier is then the same on the
    same RoIs, and takes seconds. :class:`~mmlt.LoadRoIFeatures` reads them.

    Args:
        bbox_head (dict): Config of a box head with shared fully connected
            layers, of which the ReLU behind the last one is left.
        bbox_roi_extractor (dict | None): That of the detector, which is not
            built. Defaults to None.
        **kwargs: Further arguments of MMDetection's ``StandardRoIHead``.

    Raises:
        ValueError: If the box head has no shared layers, or pools; if there
            is a mask head; or if the sampler leaves the true boxes out
            (``add_gt_as_proposals=False``), with which the features begin.
    """

    def __init__(
        self,
        bbox_head: dict,
        bbox_roi_extractor: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.get('mask_head') is not None:
            raise ValueError(
                'mask_head: features of boxes make no masks; leave it out'
            )
        super().__init__(bbox_roi_extractor, bbox_head, **kwargs)
        sampler = getattr(self, 'bbox_sampler', None)
        if sampler is not None and not sampler.add_gt_as_proposals:
            raise ValueError(
                'add_gt_as_proposals=False of the sampler does not fit the '
                'file of features, in which the true boxes are RoIs; set True'
            )

    def init_bbox_head(
        self, bbox_roi_extractor: ConfigDict, bbox_head: ConfigDict
    ) -> None:
        """Build the box head without what the features have behind them."""
        head = MODELS.build(bbox_head)
        if not getattr(head, 'num_shared_fcs', 0) or head.with_avg_pool:
            raise ValueError(
                f'bbox_head {type(head).__name__} has no shared fully '
                'connected layers, or pools: there are no features of its '
                'RoIs; take one such as Shared2FCBBoxHead'
            )
        head.shared_convs = nn.ModuleList()
        head.shared_fcs = nn.ModuleList([nn.Identity()])
        self.bbox_head = head
        self.bbox_roi_extractor = TrueRows()

    def bbox_loss(
        self, x: tuple[Tensor], sampling_results: list[SamplingResult]
    ) -> dict:
        """Losses of the sampled RoIs; ``x`` holds (N, 1, R, D) features."""
        rows = [
            features[0, torch.cat([result.pos_inds, result.neg_inds])]
            for features, result in zip(x[0], sampling_results, strict=True)
        ]
        return super().bbox_loss((torch.cat(rows),), sampling_results)
