"""Box head of BAGS."""

from __future__ import annotations

from typing import Any

from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead

from mmlt import compat
from mmlt.checks import check_number, check_size
from mmlt.models.losses.bags_loss import complete_config
from mmlt.registry import MODELS


@MODELS.register_module()
class BAGSBBoxHead(Shared2FCBBoxHead):
    """Two shared layers, and what :class:`~mmlt.BAGSLoss` cannot do alone.

    Any stock box head takes ``loss_cls=dict(type='mmlt.BAGSLoss', ...)``.
    This one has it by default, and the classifier on normalised features and
    weights as an option.

    Note:
        ``forward`` returns the raw columns of the classifier, (R, C + G + 2);
        :class:`mmlt.models.export.ClassScores` around it returns scores.

    Args:
        num_classes (int): Number of classes C, without the background.
        loss_cls (dict | None): Config of ``mmlt.BAGSLoss``. Defaults to None:
            the published settings.
        cosine_scale (float | None): Scale of a classifier on the cosines of
            features and weights. Defaults to None: a plain linear layer.
        **kwargs: Further arguments of MMDetection's ``Shared2FCBBoxHead``.

    Raises:
        ValueError: If ``num_classes`` or ``cosine_scale`` is not positive, or
            the latter comes with ``cls_predictor_cfg``.
        TypeError: If ``loss_cls`` is another loss, or a number is none.
    """

    def __init__(
        self,
        num_classes: int = 80,
        loss_cls: dict | None = None,
        cosine_scale: float | None = None,
        **kwargs: Any,
    ) -> None:
        check_size('num_classes', num_classes)
        loss_cls = complete_config(
            loss_cls, 'loss_cls of BAGSBBoxHead', 'Shared2FCBBoxHead'
        )
        if cosine_scale is not None:
            check_number('cosine_scale', cosine_scale, positive=True)
            if 'cls_predictor_cfg' in kwargs:
                raise ValueError(
                    f'cosine_scale={cosine_scale} makes a classifier of its '
                    'own: leave out cls_predictor_cfg'
                )
            kwargs['cls_predictor_cfg'] = {
                'type': 'mmdet.NormedLinear',
                compat.normed_linear_scale(): cosine_scale,
            }
        super().__init__(num_classes=num_classes, loss_cls=loss_cls, **kwargs)
