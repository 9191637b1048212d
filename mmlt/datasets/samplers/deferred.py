"""Another sampler from an epoch on (deferred re-sampling)."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from mmengine.dist import sync_random_seed
from torch.utils.data import Sampler

from mmlt.registry import DATA_SAMPLERS

from .build import build_sampler
from .shared_stream import check_int

UNIFORM = dict(type='DefaultSampler', shuffle=True)
CLASS_BALANCED = dict(type='mmlt.ClassFrequencySampler', power=0)


@DATA_SAMPLERS.register_module()
class DeferredSampler(Sampler[int]):
    """One sampler until an epoch, another one from it on.

    Deferred re-sampling (DRS) as in the comparisons of `LDAM
    <https://arxiv.org/abs/1906.07413>`_ and `BBN
    <https://arxiv.org/abs/1912.02413>`_: each image once, and class-balanced
    sampling in the last stage.

    Args:
        dataset (Sized): The images, for both samplers.
        epoch (int): First epoch, counted from 0, of ``after``; 160 of 200 in
            the papers' setting for long-tailed CIFAR.
        before (dict): Config of the first sampler. Defaults to uniform
            sampling without replacement.
        after (dict): Config of the second sampler. Defaults to class-balanced
            sampling.
        seed (int | None): Seed of both samplers; None takes a random one,
            which the ranks agree on.

    Raises:
        TypeError: If ``epoch`` is not an integer or a sampler no config.
        ValueError: If ``epoch`` is negative or the samplers differ in length.
    """

    def __init__(
        self,
        dataset: Sized,
        epoch: int,
        before: dict = UNIFORM,
        after: dict = CLASS_BALANCED,
        seed: int | None = None,
    ) -> None:
        self.switch_epoch = check_int('epoch', epoch, 0)
        self.dataset = dataset
        self.seed = sync_random_seed() if seed is None else seed
        self.before = build_sampler('before', before, dataset, self.seed)
        self.after = build_sampler('after', after, dataset, self.seed)
        if len(self.before) != len(self.after):
            raise ValueError(
                f'before yields {len(self.before)} images an epoch and after '
                f'{len(self.after)}, but schedules count on epochs of one '
                'length; set num_samples of one of them'
            )
        self.set_epoch(0)

    @property
    def current(self) -> Sampler:
        """The sampler of the present epoch."""
        return self.before if self.epoch < self.switch_epoch else self.after

    def __iter__(self) -> Iterator[int]:
        return iter(self.current)

    def __len__(self) -> int:
        """Number of images of an epoch on this rank."""
        return len(self.current)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, of the next iteration."""
        self.epoch = epoch
        self.current.set_epoch(epoch)
