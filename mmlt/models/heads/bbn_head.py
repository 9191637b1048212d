"""Head of BBN, which mixes the features and the losses of two branches.

Shape letters: B images a sampler, C classes, D features of a branch.
"""

import torch
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample

from mmlt.checks import check_number, check_size, check_switch
from mmlt.registry import MODELS


@MODELS.register_module()
class BBNHead(LinearClsHead):
    r"""Cumulative learning over the features of two branches.

    `BBN <https://arxiv.org/abs/1912.02413>`_, equations 1 to 3:

    .. math::
        z = W^T [s \alpha f_c ; s (1 - \alpha) f_r] + b, \qquad
        L = \alpha\, \ell(z, y_c) + (1 - \alpha)\, \ell(z, y_r)

    with the scale s. At test both features come from the same image and
    alpha is 0.5.

    Note:
        The authors' code doubles the mixed feature in training (s = 2) and at
        test feeds :math:`[f_c ; f_r]` without a factor; this is the default.
        The paper has no factor (s = 1) and :math:`[f_c / 2 ; f_r / 2]` at
        test. In both, test is the training formula at alpha = 0.5, which is
        what this head computes for any s.

    Args:
        num_classes (int): Number of classes C.
        in_channels (int): Width D of the feature of **one** branch.
        train_scale (float): Factor s. Defaults to 2.0, as in the authors'
            code.
        bias (bool): Add b. Defaults to True.
        loss (dict): Config of the loss, called as
            ``loss(z, target, avg_factor=B)`` once for each sampler's labels.
            Defaults to ``dict(type='CrossEntropyLoss')``.
        topk (tuple[int]): Which accuracies to log. Defaults to (1, ).
        cal_acc (bool): Log the accuracy of the training batch in percent,
            ``alpha * acc(z, y_c) + (1 - alpha) * acc(z, y_r)``. Defaults to
            False.
        init_cfg (dict, optional): Initialisation. Defaults to None:
            PyTorch's of a linear layer, as in the authors' code.

    Raises:
        TypeError: If a number is none, or a switch neither True nor False.
        ValueError: If ``num_classes``, ``in_channels`` or ``train_scale`` is
            not positive and finite.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        train_scale: float = 2.0,
        bias: bool = True,
        loss: dict | None = None,
        topk: tuple[int, ...] = (1,),
        cal_acc: bool = False,
        init_cfg: dict | None = None,
    ):
        check_number('train_scale', train_scale, positive=True)
        super().__init__(
            num_classes=check_size('num_classes', num_classes),
            in_channels=2 * check_size('in_channels', in_channels),
            loss=loss or dict(type='CrossEntropyLoss'),
            topk=topk,
            cal_acc=check_switch('cal_acc', cal_acc),
            init_cfg=init_cfg,
        )
        if not check_switch('bias', bias):
            self.fc.bias = None
        self.in_channels = in_channels
        self.train_scale = train_scale

    def pre_logits(
        self,
        feats: tuple[torch.Tensor, ...],
        alpha: float | torch.Tensor = 0.5,
    ) -> torch.Tensor:
        """Weight and join the features of the branches.

        Args:
            feats (tuple[Tensor]): Ends with f_c and f_r, each (B, D).
            alpha (float | Tensor): Weight of f_c in [0, 1], as a 0-dim tensor
                in training. Defaults to 0.5.

        Returns:
            Tensor: The input of the linear layer, (B, 2 D).
        """
        if len(feats) < 2:
            raise ValueError(
                'BBNHead needs the features of two branches, but got '
                f'{len(feats)}: use mmlt.BilateralBackbone, and a neck that '
                'keeps all its inputs, such as GlobalAveragePooling.'
            )
        f_c, f_r = feats[-2:]
        weight = self.train_scale * alpha
        return torch.cat([weight * f_c, (self.train_scale - weight) * f_r], 1)

    def forward(
        self,
        feats: tuple[torch.Tensor, ...],
        alpha: float | torch.Tensor = 0.5,
    ) -> torch.Tensor:
        """Compute logits (B, C) from what :meth:`pre_logits` takes."""
        return self.fc(self.pre_logits(feats, alpha))

    def loss(
        self,
        feats: tuple[torch.Tensor, ...],
        data_samples: list[DataSample],
        alpha: float | torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Compute the mixed loss of a training batch.

        Args:
            feats (tuple[Tensor]): Ends with f_c and f_r, each (B, D).
            data_samples (list[DataSample]): The labels of the 2 B images:
                first those behind f_c, then those behind f_r.
            alpha (float | Tensor): Weight of the conventional branch in
                [0, 1], as a 0-dim tensor so that no value is compiled in.

        Returns:
            dict[str, Tensor]: The loss and, if ``cal_acc``, accuracies.
        """

        def mix(conventional, rebalancing):
            if isinstance(conventional, list):
                pairs = zip(conventional, rebalancing, strict=True)
                return [mix(*pair) for pair in pairs]
            return alpha * conventional + (1 - alpha) * rebalancing

        cls_score = self(feats, alpha)
        batch = len(cls_score)
        of_c = self._get_loss(cls_score, data_samples[:batch])
        of_r = self._get_loss(cls_score, data_samples[batch:])
        return {name: mix(of_c[name], of_r[name]) for name in of_c}
