"""From a config file to a runner: what the tools for training, testing share.

Several processes without a GPU
-------------------------------
MMEngine starts several processes on GPUs only. Where there is none,
:func:`build_runner` sets up ``gloo`` and a wrapper on the CPU instead, for the
launcher ``pytorch``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DATASETS, RUNNERS, init_default_scope
from mmengine.runner import Runner

STAGES = ('train', 'val', 'test')


def load_config(
    path: str,
    options: dict[str, Any] | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
) -> Config:
    """Read a config and what the command line says beside it.

    Args:
        path (str): Config file.
        options (dict | None): Fields to set, by dotted names.
        work_dir (str | None): Folder for logs and checkpoints. Defaults to
            the config's own ``work_dir``, else ``./work_dirs/{config name}``.
        launcher (str): ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
    """
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options or {})
    cfg.launcher = launcher
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(path).stem))
    _complete_dataloaders(cfg)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a config, in this process of the launcher's.

    Raises:
        ValueError: If another launcher than ``pytorch`` starts processes
            without a GPU.
    """
    if cfg.launcher != 'none' and get_device() == 'cpu':
        _use_gloo(cfg)
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return Runner.from_cfg(cfg)


def build_training_set(
    path: str, options: dict[str, Any] | None = None
) -> Any:
    """Build the training data set of a config, wrappers included.

    Args:
        path (str): Config file.
        options (dict | None): Fields to set, by dotted names.

    Raises:
        ValueError: If the config has none.
    """
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options or {})
    loader = cfg.get('train_dataloader')
    if loader is None:
        raise ValueError(
            f'config: {path!r} has no train_dataloader, so there is nothing '
            'to count; give the config of a training'
        )
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    return DATASETS.build(loader.dataset)


def _complete_dataloaders(cfg: Config) -> None:
    """Fill in what MMPretrain leaves to its tools."""
    for stage in STAGES:
        loader = cfg.get(f'{stage}_dataloader')
        if loader is None:
            continue
        if cfg.get('default_scope') == 'mmpretrain':
            loader.setdefault('collate_fn', dict(type='default_collate'))
            loader.setdefault('persistent_workers', True)
            loader.setdefault('pin_memory', get_device() != 'cpu')
        if not loader.get('num_workers'):
            loader.persistent_workers = False


def _use_gloo(cfg: Config) -> None:
    if cfg.launcher != 'pytorch':
        raise ValueError(
            f'launcher={cfg.launcher!r} needs a GPU, and there is none; '
            "without one, use launcher='pytorch'"
        )
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)
    cfg.merge_from_dict({'env_cfg.dist_cfg.backend': 'gloo'})
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
