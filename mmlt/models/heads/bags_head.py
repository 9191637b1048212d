"""Classification head of balanced group softmax."""

from __future__ import annotations

import torch
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmlt.checks import check_size, check_switch
from mmlt.models.losses.bags_loss import complete_config
from mmlt.registry import MODELS


@MODELS.register_module()
class BAGSHead(LinearClsHead):
    """Linear head for :class:`~mmlt.BAGSLoss` on images.

    `BAGS <https://arxiv.org/abs/2006.10408>`_ without its group 0, since
    every image has a class. Predicted scores are normalised to sum to 1.

    Note:
        ``forward``, and so ``mode='tensor'`` of a classifier, returns the raw
        columns of the linear layer, (B, C + G), which are no classes.
        :meth:`get_scores` maps them; for export, put
        :class:`mmlt.models.export.ClassScores` around the classifier.

    Args:
        num_classes (int): Number of classes C.
        in_channels (int): Width of the feature.
        loss (dict | None): Config of ``mmlt.BAGSLoss``; without
            ``background_group``, False. Defaults to None.
        cal_acc (bool): Log the accuracy of the training batch in percent.
            Defaults to False.
        init_cfg (dict | None): Initialisation. Defaults to
            ``dict(type='Normal', layer='Linear', std=0.01)``.

    Raises:
        TypeError: If ``loss`` is another loss, a number is none, or a switch
            neither True nor False.
        ValueError: If it has a background group, or a number is not positive.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss: dict | None = None,
        cal_acc: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        loss = complete_config(
            loss,
            'loss of BAGSHead',
            'LinearClsHead',
            background_group=False,
        )
        super().__init__(
            num_classes=check_size('num_classes', num_classes),
            in_channels=check_size('in_channels', in_channels),
            loss=loss,
            init_cfg=init_cfg or dict(type='Normal', layer='Linear', std=0.01),
        )
        if self.loss_module.background_group:
            raise ValueError(
                'images have no background: give the loss of BAGSHead '
                'background_group=False'
            )
        columns = self.loss_module.get_cls_channels(num_classes)
        self.fc = nn.Linear(in_channels, columns)
        self.log_accuracy = check_switch('cal_acc', cal_acc)

    def _get_loss(
        self, cls_score: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        losses = super()._get_loss(cls_score, data_samples)
        losses.update(losses.pop('loss'))
        if self.log_accuracy:
            target = torch.cat([each.gt_label for each in data_samples])
            losses.update(self.loss_module.get_accuracy(cls_score, target))
        return losses

    def get_scores(self, cls_score: Tensor) -> Tensor:
        """Scores (B, C) of the classes, from the columns of the layer."""
        scores = self.loss_module.get_activation(cls_score)
        scores = scores[:, : self.num_classes]
        scores = scores.clamp_min(torch.finfo(scores.dtype).tiny)
        return scores / scores.sum(dim=1, keepdim=True)

    def _get_predictions(
        self, cls_score: Tensor, data_samples: list[DataSample] | None
    ) -> list[DataSample]:
        # The stock head takes their softmax.
        logits = self.get_scores(cls_score).log()
        return super()._get_predictions(logits, data_samples)
