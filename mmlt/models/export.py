"""Class scores as the output of a model, for export."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .heads import BAGSHead


class ClassScores(nn.Module):
    """A classifier, or a head, that returns scores in the place of logits.

    ``mode='tensor'`` of a classifier and ``forward`` of a head return the raw
    columns of the last layer. With a loss that brings its own columns along
    (BAGS, EQL, EQLv2, Seesaw, focal) these are no classes: their order and
    number are those of the loss. This module maps them as testing does. It
    exports to ONNX, as a part of a detector, too: put it around the box head.

    Args:
        model (nn.Module): Classifier with a :class:`~mmlt.models.BAGSHead`,
            that head, or a box head of MMDetection with one of these losses;
            in evaluation mode, with the weights and the class statistics of
            its checkpoint.

    Raises:
        TypeError: If it is another model, whose columns are the classes.

    Example:
        >>> import torch
        >>> loss = dict(
        ...     type='mmlt.BAGSLoss',
        ...     background_group=False,
        ...     thresholds=(10, 100),
        ...     class_stats=[900, 40, 3],
        ... )
        >>> head = BAGSHead(num_classes=3, in_channels=8, loss=loss).eval()
        >>> ClassScores(head)((torch.rand(2, 8),)).shape
        torch.Size([2, 3])
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        head = getattr(model, 'head', model)
        loss = getattr(head, 'loss_cls', None)
        if isinstance(head, BAGSHead):
            self.scores = head.get_scores
        elif getattr(loss, 'custom_activation', False):
            self.scores = loss.get_activation
        else:
            raise TypeError(
                f'model: {type(head).__name__} is neither a BAGSHead nor a '
                'box head whose loss has scores of its own; give the box head '
                '(model.roi_head.bbox_head) of a detector, and export others '
                'as they are: their columns are the classes'
            )
        self.model = model
        self.train(model.training)

    def forward(self, inputs: Any) -> Tensor | tuple[Tensor, ...]:
        """Compute the scores.

        Args:
            inputs (Any): What the model takes: images (B, 3, H, W), or the
                features of images or RoIs.

        Returns:
            Tensor | tuple[Tensor, ...]: (B, C) scores of images, or (R,
            C + 1) of RoIs with the background last and, beside them, what
            else a box head returns.
        """
        outputs = self.model(inputs)
        if isinstance(outputs, Tensor):
            return self.scores(outputs)
        cls_score, *others = outputs
        return (self.scores(cls_score), *others)
