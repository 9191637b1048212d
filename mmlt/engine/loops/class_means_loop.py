"""The means of all classes, in the place of a training."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor
from torch.utils.data import DataLoader

from mmlt.engine.features import extract_box_features, extract_features
from mmlt.engine.first_stage import (
    check_first_stage,
    random_parameters,
    shorten,
)
from mmlt.models.class_means import ClassMeans
from mmlt.models.unwrap import unwrap
from mmlt.registry import LOOPS


@LOOPS.register_module()
class ClassMeansLoop(EpochBasedTrainLoop):
    """One pass over the training set that sets the means of the classes.

    Those of an ``NCMHead`` from images of one label, those of an
    ``NCMBBoxHead`` from the true boxes. Hooks, validation and checkpoints are
    those of a training of one epoch.
    All ranks together must see each image once, and as in testing: the
    training set has the pipeline of the test set and a sampler that repeats
    nothing. The features of the training set are kept in memory until then.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Of the training set.
        max_epochs (int): 1.
        **kwargs: As in ``EpochBasedTrainLoop``.

    Raises:
        TypeError: If the model has another head.
        ValueError: If ``max_epochs`` is not 1, the model has random weights,
            the data have several labels an image, or the data loader gives
            each image more or less than once.
        FileNotFoundError: If ``load_from`` does not exist.

    Example:
        >>> train_cfg = dict(type='mmlt.ClassMeansLoop')
        >>> optim_wrapper = dict()  # nothing is trained
        >>> param_scheduler = None
        >>> train_dataloader = dict(
        ...     sampler=dict(
        ...         type='DefaultSampler', shuffle=False, round_up=False
        ...     )
        ... )
    """

    def __init__(
        self,
        runner: Any,
        dataloader: DataLoader | dict,
        max_epochs: int = 1,
        **kwargs: Any,
    ) -> None:
        if max_epochs != 1:
            raise ValueError(
                'max_epochs of ClassMeansLoop must be 1, since a second pass '
                f'would find the same means, got {max_epochs!r}'
            )
        model = unwrap(runner.model)
        self.of_boxes = hasattr(model, 'roi_head')
        owner, name = (
            (model.roi_head, 'bbox_head') if self.of_boxes else (model, 'head')
        )
        head = getattr(owner, name, None)
        if not isinstance(head, ClassMeans):
            ours = 'NCMBBoxHead' if self.of_boxes else 'NCMHead'
            raise TypeError(
                f'ClassMeansLoop sets the means of an {ours}, but the {name} '
                f"is a {type(head).__name__}: use {name}=dict(type='mmlt."
                f"{ours}')"
            )
        check_first_stage(runner._load_from)
        super().__init__(runner, dataloader, max_epochs, **kwargs)
        self.head = head

    def run_epoch(self) -> None:
        """Compute the features of all images, and their means."""
        runner = self.runner
        model = unwrap(runner.model)
        names = (name for name, _ in model.named_parameters())
        lost = random_parameters(runner, names)
        if lost:
            raise ValueError(
                'the class means would be those of random values: '
                f'{shorten(lost)}; give the trained model by load_from, as in '
                '--cfg-options load_from=PATH'
            )
        runner.call_hook('before_train_epoch')
        extract = extract_box_features if self.of_boxes else extract_features
        labels = _labels_of_boxes if self.of_boxes else _labels
        batches = []
        number = torch.tensor(0)
        for features, samples in extract(model, self.dataloader):
            batches.append((features, labels(samples)))
            number += len(samples)
        all_reduce(number)
        expected = len(self.dataloader.dataset)
        if number != expected:
            raise ValueError(
                f'train_dataloader gives {number} images of a training set of '
                f'{expected}; each must come once: sampler=dict(type='
                "'DefaultSampler', shuffle=False, round_up=False), without "
                'drop_last'
            )
        self.head.set_means(batches)
        runner.call_hook('after_train_epoch')
        self._epoch += 1


def _labels(samples: list) -> Tensor:
    labels = [sample.gt_label.cpu() for sample in samples]
    if any(label.numel() != 1 for label in labels):
        raise ValueError(
            'the training set has images with several labels or none; class '
            'means need single-label data'
        )
    return torch.cat(labels)


def _labels_of_boxes(samples: list) -> Tensor:
    return torch.cat([sample.gt_instances.labels for sample in samples]).cpu()
