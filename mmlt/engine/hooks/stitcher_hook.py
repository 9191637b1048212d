"""Train on stitched images where small objects have little of the loss."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce, broadcast_object_list
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmlt.checks import check_number, check_share, check_size, is_number
from mmlt.engine.second_draw import second_draw
from mmlt.models.size_shares import SizeShares
from mmlt.models.stitching import shrink, stitch
from mmlt.models.unwrap import unwrap
from mmlt.registry import HOOKS

FORMS = {'image': stitch, 'batch': shrink}
FEEDBACK = ('box', 'cls', 'input')


def is_stitched(small: float, whole: float, threshold: float) -> bool:
    """Whether small objects had less than a share; nothing of nothing is none.

    Args:
        small (float): Their part of the loss.
        whole (float): The loss of all objects.
        threshold (float): In [0, 1].
    """
    return whole > 0 and small / whole < threshold


@HOOKS.register_module()
class StitcherHook(Hook):
    r"""Put a batch of k times as many, smaller images in the place of one.

    `Stitcher <https://arxiv.org/abs/2004.12432>`_, section 3.3. Step t + 1 is
    a stitched one if small objects had too little of the loss in step t,

    .. math:: r_t = \frac{L_t^{small}}{L_t} < \tau, \qquad r_0 = 0,

    with :math:`L_t` the box regression loss of all positives and
    :math:`L_t^{small}` that of those whose object has less than
    ``small`` pixels at the scale of the network's input. A step without any
    (0 / 0) is followed by a regular one. Both kinds of steps count as one
    iteration; learning rate and losses are left as they are.

    The images of stitched steps come from a second stream, of another order,
    which has its own workers. They prefetch what a stitched step would take;
    whether it takes it is decided in this process, right before the step.
    Whatever the loader gives for a stitched step is dropped. All ranks decide
    by the sums over ranks, and by an iteration's number where it is drawn.
    Checkpoints carry the last sums and the position in the second stream, so
    that a resumed run decides like one that was not interrupted.

    Args:
        selection (str | float): ``'feedback'`` as above; the paper's
            alternatives are ``'always'``, ``'never'``, or the probability of
            a stitched step.
        k (int): Images in the place of one. Defaults to 4.
        form (str): ``'image'``: sqrt(k) x sqrt(k) images side by side in one.
            ``'batch'``: k times as many images of 1 / k of the pixels; the
            sampler of RoIs takes 1 / k of its number from each.
        feedback (str): What small objects are to have a share of: ``'box'``
            or ``'cls'``, the box regression or classification loss of
            positives, or ``'input'``, the boxes of the batch, by number.
        threshold (float): tau, in [0, 1]. Defaults to 0.1.
        small (float): Area in pixels from which on an object is not small.
            Defaults to 1024 (32 x 32).

    Raises:
        TypeError, ValueError: At build, on arguments that are none; before
            training, if the model has no such loss; at the first stitched
            step, if the batch has what cannot be stitched.

    Note:
        The authors' code keeps r on each GPU, so that GPUs decide differently.
        With ``'feedback'`` from a loss, a step waits for the device before it
        begins: two numbers are read.

    Example:
        >>> default_hooks = dict(stitcher=dict(type='mmlt.StitcherHook'))
    """

    def __init__(
        self,
        selection: str | float = 'feedback',
        k: int = 4,
        form: str = 'image',
        feedback: str = 'box',
        threshold: float = 0.1,
        small: float = 32**2,
    ) -> None:
        self.selection = selection
        if is_number(selection):
            self.probability = check_share('selection', selection)
        else:
            names = {'feedback': None, 'always': 1.0, 'never': 0.0}
            self.probability = names[_choose('selection', selection, names)]
        self.k = check_size('k', k, least=2)
        self.form = _choose('form', form, FORMS)
        if form == 'image' and math.isqrt(k) ** 2 != k:
            raise ValueError(
                f"k must be a square number with form='image', got {k}; "
                "form='batch' takes any"
            )
        self.feedback = _choose('feedback', feedback, FEEDBACK)
        self.threshold = check_share('threshold', threshold)
        self.small = check_number('small', small, positive=True)
        # r starts at 0.
        self._sums = torch.tensor([0.0, 1.0])
        self._drawn = 0
        self._resumed: dict = {}
        self._batches: Iterator[Any] | None = None
        self._shares: SizeShares | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the state, in case the checkpoint is resumed."""
        self._resumed = checkpoint.get('stitcher', {})

    def before_train(self, runner: Runner) -> None:
        """Go to where a resumed run was, and look at the model."""
        self._restore(runner.iter)
        seeds = [runner.seed]
        broadcast_object_list(seeds)
        self._seed = seeds[0]
        model = unwrap(runner.model)
        self._roi_samplers = _roi_samplers(model)
        for sampler, num in self._roi_samplers:
            if self.form == 'batch' and num < self.k:
                raise ValueError(
                    f'k={self.k} leaves none of the {num} RoIs of '
                    f'{type(sampler).__name__}; take a smaller k'
                )
        if self.probability is None and self.feedback != 'input':
            self._shares = SizeShares(
                model, bounds=[self.small], losses=[self.feedback]
            )
        if self.probability != 0:
            self._batches = second_draw(
                runner.train_dataloader,
                runner._train_dataloader,
                self.k,
                self._seed,
                runner.rank,
                self._drawn,
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict
    ) -> None:
        """Decide, and replace what is in the batch."""
        stitched = self._decide(runner.iter)
        runner.message_hub.update_scalar('train/stitched', int(stitched))
        if self.form == 'batch':
            for sampler, num in self._roi_samplers:
                sampler.num = num // self.k if stitched else num
        if not stitched:
            return
        batch = next(self._batches)
        self._drawn += 1
        # Resized on the device; boxes are moved where they are.
        preprocessor = unwrap(runner.model).data_preprocessor
        images = preprocessor.cast_data(batch['inputs'])
        data_batch['inputs'], data_batch['data_samples'] = FORMS[self.form](
            images, batch['data_samples'], self.k
        )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: dict | None = None,
    ) -> None:
        """Sum the losses over ranks."""
        if self.probability is not None:
            return
        if self.feedback == 'input':
            self._sums = self._count(data_batch['data_samples'])
        else:
            loss = self._shares.take()[self.feedback]
            self._sums = torch.stack([loss[0], loss.sum()])
        all_reduce(self._sums)

    def after_train(self, runner: Runner) -> None:
        """End the workers."""
        self._batches = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the state, the same on all ranks."""
        checkpoint['stitcher'] = dict(
            sums=self._sums.tolist(), drawn=self._drawn
        )

    def _restore(self, iteration: int) -> None:
        # In iteration 0, the checkpoint was one to start from.
        if iteration and self._resumed:
            self._sums = torch.tensor(self._resumed['sums'])
            self._drawn = self._resumed['drawn']

    def _decide(self, iteration: int) -> bool:
        if self.probability is None:
            return is_stitched(*self._sums.tolist(), self.threshold)
        rng = np.random.default_rng([self._seed, iteration])
        return rng.random() < self.probability

    def _count(self, samples: list) -> Tensor:
        boxes = [sample.gt_instances.bboxes for sample in samples]
        # Typed boxes hold a tensor.
        boxes = torch.cat([getattr(each, 'tensor', each) for each in boxes])
        area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        return torch.stack([area < self.small, area >= 0]).sum(1).float()


def _choose(name: str, value: Any, known: Any) -> Any:
    if not isinstance(value, str) or value not in known:
        more = ', or a probability' if name == 'selection' else ''
        raise ValueError(
            f'{name} must be one of {list(known)}{more}, got {value!r}'
        )
    return value


def _roi_samplers(model: torch.nn.Module) -> list[tuple[Any, int]]:
    """The samplers of all stages, and how many RoIs of an image they take."""
    samplers = getattr(getattr(model, 'roi_head', None), 'bbox_sampler', None)
    samplers = samplers if isinstance(samplers, list) else [samplers]
    return [(each, each.num) for each in samplers if hasattr(each, 'num')]
