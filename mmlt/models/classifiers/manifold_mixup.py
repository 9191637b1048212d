"""Manifold mixup, its two-sampler variant, and Remix.

Shape letters: B batch (images a sampler, if there are two), C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmlt.checks import check_number, check_switch
from mmlt.models.losses.checks import settings
from mmlt.models.stages import find_places
from mmlt.registry import MODELS

from .mix import Mix
from .remix import Remix


@MODELS.register_module()
class ManifoldMixupClassifier(ImageClassifier):
    r"""Mix activations at a place that is drawn for each batch.

    `Manifold Mixup <https://arxiv.org/abs/1806.05236>`_: with activations
    :math:`g(x)` at the place and :math:`\lambda \sim Beta(\alpha, \alpha)`,

    .. math::
        \tilde g = \lambda g(x_a) + (1 - \lambda) g(x_b), \qquad
        \tilde y = \lambda y_a + (1 - \lambda) y_b

    where b is a permutation of the batch. The head gets the soft labels
    :math:`\tilde y`, on which cross entropy is :math:`\lambda CE(z, y_a) +
    (1 - \lambda) CE(z, y_b)`. Place and lambda are drawn with PyTorch's
    generator of the CPU. Validation and test are those of the plain
    classifier.

    The place ``'input'`` alone is plain mixup.

    Note:
        The paper has :math:`\alpha = 2` and, in its code, a binary cross
        entropy of the softmax; its table in the BBN paper has
        :math:`\alpha = 1` and the loss above.

    Args:
        backbone (dict): Config of any backbone.
        neck (dict, optional): Defaults to None.
        head (dict): Config of a head for one label an image whose loss takes
            soft labels, as the softmax losses of mmlt and MMPretrain do.
        places (Sequence[str | int]): Where to mix: ``'input'``, k for the
            output of the k-th stage (from 1 on), or the name of a module of
            the backbone. Stages are those of a ResNet, blocks of a vision
            transformer. Defaults to ``('input', 1, 2)``.
        alpha (float): Of the Beta distribution. Defaults to 2.0.
        two_samplers (bool): Mix images of two samplers, in batches ``[B
            uniform | B reversed]`` of ``mmlt.BilateralBatchSampler``: a is
            from the first, b from the second. Up to the place, batch norm
            sees both. Defaults to False.
        remix (dict, optional): ``kappa`` (3) and ``tau`` (0.5) of `Remix
            <https://arxiv.org/abs/2007.03943>`_, by which the label goes to
            the rarer class, see :func:`~mmlt.models.classifiers.remix.
            remix_lambda`. Defaults to None: off.
        class_stats (ClassStats | dict | list | str | None): Of Remix. See
            :meth:`mmlt.class_stats.ClassStats.from_any`.
        pretrained (str, optional): Checkpoint to start from. Defaults to
            None.
        train_cfg (dict, optional): Must be None: MMPretrain's batch
            augmentations would mix a second time.
        data_preprocessor (dict, optional): As in ``ImageClassifier``.
            Defaults to None.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Raises:
        TypeError: If an argument has the wrong type, or the head is for
            several labels an image.
        ValueError: If the backbone lacks a place, a number is out of range,
            there are batch augmentations, or the head logs the accuracy of
            training.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict | None = None,
        head: dict | None = None,
        places: Sequence[str | int] = ('input', 1, 2),
        alpha: float = 2.0,
        two_samplers: bool = False,
        remix: dict | None = None,
        class_stats: Any = None,
        pretrained: str | None = None,
        train_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head,
            pretrained=pretrained,
            train_cfg=train_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        if getattr(self.data_preprocessor, 'batch_augments', None) is not None:
            raise ValueError(
                f'train_cfg={train_cfg} would mix the images of a batch '
                'before ManifoldMixupClassifier does it: remove it'
            )
        _check_head(self.head)
        alpha = check_number('alpha', alpha, positive=True)
        self.concentration = torch.tensor(alpha, dtype=torch.float64)
        self.two_samplers = check_switch('two_samplers', two_samplers)
        options = settings('remix', remix, dict(kappa=3.0, tau=0.5))
        if options is None and class_stats is not None:
            raise ValueError(
                f'class_stats={class_stats!r} are of use to Remix only: add '
                'remix=dict(), or remove them'
            )
        self.remix = options and Remix(
            self.head.num_classes, class_stats=class_stats, **options
        )
        # What the place has still to mix in the present forward pass.
        self._pending: Mix | None = None
        modules = find_places(self.backbone, places)
        self.places = tuple(modules)
        for place, module in modules.items():
            if place != 'input':
                module.register_forward_hook(partial(self._mix_output, place))

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Compute the losses of mixed images.

        Args:
            inputs (Tensor): Images (B, 3, H, W); of two samplers (2 B, ...).
            data_samples (list[DataSample]): Their labels.

        Returns:
            dict[str, Tensor]: What the head's ``loss`` returns.
        """
        mix = self.draw(inputs)
        labels = torch.cat([sample.gt_label for sample in data_samples])
        scores = self.mixed_labels(mix, labels)
        return self.head.loss(
            self.mixed_features(mix, inputs),
            [DataSample().set_gt_score(score) for score in scores],
        )

    def draw(self, inputs: Tensor) -> Mix:
        """Draw a place, lambda and, for one sampler, partners.

        Args:
            inputs (Tensor): (B, ...) images, or (2 B, ...) of two samplers.

        Raises:
            ValueError: If a batch of two samplers has an odd size.
        """
        batch = len(inputs)
        if self.two_samplers and batch % 2:
            raise ValueError(
                'two_samplers=True trains on [B uniform | B reversed] images, '
                f'but got an odd batch of {batch}: use '
                "batch_sampler=dict(type='mmlt.BilateralBatchSampler') in "
                'the training dataloader'
            )
        place = self.places[int(torch.randint(len(self.places), ()))]
        beta = torch.distributions.Beta(self.concentration, self.concentration)
        # Drawn on the CPU, and copied without waiting for the device.
        lam = beta.sample().to(inputs, non_blocking=True)
        if self.two_samplers:
            return Mix(place, lam, None)
        partner = torch.randperm(batch).to(inputs.device, non_blocking=True)
        return Mix(place, lam, partner)

    def mixed_labels(self, mix: Mix, labels: Tensor) -> Tensor:
        """Distributions over the classes.

        Args:
            mix (Mix): The draw.
            labels (Tensor): (B,), or (2 B,) of two samplers.

        Returns:
            Tensor: (B, C).
        """
        lam = mix.lam
        if self.remix is not None:
            lam = self.remix(lam, *mix.pair(labels)).unsqueeze(1)
        one_hot = F.one_hot(labels, self.head.num_classes)
        return Mix(mix.place, lam, mix.partner)(one_hot)

    def mixed_features(self, mix: Mix, inputs: Tensor) -> tuple[Tensor, ...]:
        """Features of B mixed images, as ``extract_feat`` returns them."""
        if mix.place == 'input':
            return self.extract_feat(mix(inputs))
        self._pending = mix
        try:
            feats = self.extract_feat(inputs)
            if self._pending is not None:
                raise ValueError(
                    f'places: {type(self.backbone).__name__} has the module '
                    f'of {mix.place!r}, but does not call it; name another '
                    'one'
                )
        finally:
            self._pending = None
        return feats

    def _mix_output(
        self, place: str | int, module: nn.Module, args: tuple, output: Any
    ) -> Any:
        """Mix what the module at a place returns, if it is its turn."""
        mix = self._pending
        if mix is None or mix.place != place:
            return output
        self._pending = None
        return mix(output)


def _check_head(head: nn.Module) -> None:
    name = type(head).__name__
    if isinstance(head, MultiLabelClsHead) or not hasattr(head, 'num_classes'):
        raise TypeError(
            f'head: {name} is for several labels an image, or has no '
            '`num_classes`; use a head for single labels, such as '
            'LinearClsHead'
        )
    if getattr(head, 'cal_acc', False):
        raise ValueError(
            f'cal_acc=True of the head {name} logs the accuracy on labels, '
            'and those of mixed images are distributions: set cal_acc=False'
        )
