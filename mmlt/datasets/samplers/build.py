"""Samplers as parts of other samplers."""

from __future__ import annotations

from collections.abc import Sized

from mmengine.dataset import InfiniteSampler
from torch.utils.data import Sampler

from mmlt.registry import DATA_SAMPLERS


def build_sampler(
    name: str, cfg: dict, dataset: Sized, seed: int | None
) -> Sampler:
    """Build a sampler that an argument describes.

    Args:
        name (str): Name of the argument, for messages.
        cfg (dict): Config of the sampler, without ``dataset``.
        dataset (Sized): Data set of the sampler.
        seed (int | None): Used if ``cfg`` has no ``seed``.

    Raises:
        TypeError: If ``cfg`` is no config.
        ValueError: If the sampler never ends an epoch.
    """
    if not isinstance(cfg, dict) or 'type' not in cfg:
        raise TypeError(
            f'{name} must be the config of a sampler, such as '
            f"dict(type='mmlt.ReversedSampler'), got {cfg!r}"
        )
    sampler = DATA_SAMPLERS.build(
        cfg, default_args=dict(dataset=dataset, seed=seed)
    )
    check_finite(name, sampler)
    return sampler


def check_finite(name: str, sampler: Sampler) -> None:
    """Refuse a sampler without epochs."""
    if isinstance(sampler, InfiniteSampler):
        raise ValueError(
            f'{name}: InfiniteSampler has no epochs; use '
            "dict(type='DefaultSampler', shuffle=True), which serves "
            'iteration-based training, too'
        )
