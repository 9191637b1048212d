"""Classifier of the bilateral-branch network (BBN)."""

import torch
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample

from mmlt.registry import MODELS

from ..backbones import BilateralBackbone
from ..heads import BBNHead


@MODELS.register_module()
class BBNClassifier(ImageClassifier):
    """Bilateral-branch network with cumulative learning.

    `BBN <https://arxiv.org/abs/1912.02413>`_: images of a uniform sampler
    train the conventional branch, images of a reversed sampler the
    re-balancing branch, and alpha moves the weight from the first to the
    second. The training batch is ``[B uniform | B reversed]``, as
    ``mmlt.BilateralBatchSampler`` draws it; both branches take part in every
    step, whatever alpha is. Validation, test and feature extraction take
    ordinary batches; each image then goes through both branches.

    Attributes:
        alpha (Tensor): 0-dim float32 buffer in [0, 1], not in checkpoints.
            ``mmlt.AlphaScheduleHook`` writes it with ``fill_``; without the
            hook it stays at 0.5.

    Args:
        backbone (dict): Config of a ``mmlt.BilateralBackbone``.
        neck (dict, optional): Neck applied to the features of both branches,
            such as ``GlobalAveragePooling``. Defaults to None.
        head (dict, optional): Config of a ``mmlt.BBNHead``. Without one, only
            features can be extracted. Defaults to None.
        pretrained (str, optional): Checkpoint to start from. Defaults to
            None.
        train_cfg (dict, optional): Must be None: MMPretrain's batch
            augmentations mix images across the two samplers.
        data_preprocessor (dict, optional): As in ``ImageClassifier``.
            Defaults to None.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Raises:
        TypeError: If backbone or head has not two branches.
        ValueError: If batch augmentations are asked for.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict | None = None,
        head: dict | None = None,
        pretrained: str | None = None,
        train_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ):
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head,
            pretrained=pretrained,
            train_cfg=train_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        if not isinstance(self.backbone, BilateralBackbone):
            raise TypeError(
                'BBNClassifier needs two branches, but the backbone is a '
                f'{type(self.backbone).__name__}: wrap it in dict(type='
                "'mmlt.BilateralBackbone', backbone=...)."
            )
        if self.with_head and not isinstance(self.head, BBNHead):
            raise TypeError(
                "head must be a 'mmlt.BBNHead', which mixes two branches, "
                f'but got {type(self.head).__name__}.'
            )
        if getattr(self.data_preprocessor, 'batch_augments', None) is not None:
            raise ValueError(
                'train_cfg (batch augmentations such as Mixup and CutMix) '
                'would mix images of the two samplers in BBNClassifier, but '
                f'got {train_cfg}: remove it.'
            )
        self.register_buffer('alpha', torch.tensor(0.5), persistent=False)

    def loss(
        self, inputs: torch.Tensor, data_samples: list[DataSample]
    ) -> dict[str, torch.Tensor]:
        """Compute the losses of a batch ``[B uniform | B reversed]``.

        Args:
            inputs (Tensor): Images (2 B, 3, H, W).
            data_samples (list[DataSample]): Their 2 B labels.

        Returns:
            dict[str, Tensor]: What the head's ``loss`` returns.

        Raises:
            ValueError: If the batch has an odd size.
        """
        if len(inputs) % 2:
            raise ValueError(
                'BBNClassifier trains on [B uniform | B reversed] images, but '
                f'got an odd batch of {len(inputs)}: use '
                "batch_sampler=dict(type='mmlt.BilateralBatchSampler') in "
                'the training dataloader.'
            )
        feats = self.extract_feat(inputs.chunk(2))
        return self.head.loss(feats, data_samples, self.alpha)
