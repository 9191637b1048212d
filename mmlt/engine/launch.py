"""From a config file to a runner: what the tools for training, testing share.

Several processes without a GPU
-------------------------------
MMEngine starts several processes on GPUs only. Where there is none,
:func:`build_runner` sets up ``gloo`` and a wrapper on the CPU instead, for the
launcher ``pytorch``.
"""

from __future__ import annotations

import difflib
import logging
import tarfile
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import DATASETS, RUNNERS, init_default_scope
from mmengine.runner import (
    CheckpointLoader,
    Runner,
    find_latest_checkpoint,
)

from mmlt.checks import check_number
from mmlt.engine.hooks import CheckRunHook

CONFIGS = Path(__file__).parents[1] / '.mim' / 'configs'
STAGES = ('train', 'val', 'test')
MISSING = 'does not exist'
# Those that MMEngine adds by itself; None takes one of them out.
MMENGINE_HOOKS = (
    'runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler',
    'checkpoint',
)  # fmt: skip


def read_config(path: str, options: dict[str, Any] | None = None) -> Config:
    """Read a config file, or by its bare name one of mmlt's, as ``mim`` does.

    Args:
        path (str): Config file, or the name of one that comes with mmlt.
        options (dict | None): Fields to set, by dotted names.

    Raises:
        FileNotFoundError: If there is neither.
    """
    if not Path(path).is_file():
        ours = {
            file.name: file
            for file in CONFIGS.rglob('*.py')
            if '_base_' not in file.parts
        }
        if str(path) not in ours:
            close = difflib.get_close_matches(str(path), ours)
            raise FileNotFoundError(
                f'config: no file {str(path)!r}, nor has mmlt a config of '
                f'that name; similar names: {close}'
            )
        path = ours[str(path)]
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options or {})
    return cfg


def load_config(
    path: str,
    options: dict[str, Any] | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
) -> Config:
    """Read a config and what the command line says beside it.

    Args:
        path (str): As in :func:`read_config`.
        options (dict | None): Fields to set, by dotted names.
        work_dir (str | None): Folder for logs and checkpoints. Defaults to
            the config's own ``work_dir``, else ``./work_dirs/{config name}``.
        launcher (str): ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
    """
    cfg = read_config(path, options)
    cfg.launcher = launcher
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(path).stem))
    _complete_dataloaders(cfg)
    _drop_hooks(cfg)
    return cfg


def choose_start(cfg: Config, resume: str | None = None) -> None:
    """Decide which checkpoint a training starts from, if any.

    Sets ``cfg.resume`` and ``cfg.load_from``. If a run is to be resumed, by
    ``resume='auto'`` or by ``resume=True`` in the config, that is the latest
    checkpoint of the ``work_dir``. If there is none, the training starts at
    the beginning, with the weights of ``load_from``, and a warning says so.
    (MMEngine would resume from ``load_from``: a first stage's checkpoint then
    ends the second stage at once.)

    Args:
        cfg (Config): Of the training.
        resume (str | None): ``'auto'``, or the checkpoint to resume from.
            Defaults to None: as the config says.
    """
    if resume not in (None, 'auto'):
        cfg.resume, cfg.load_from = True, resume
    elif resume == 'auto' or cfg.get('resume'):
        # A run that was killed may not have noted its first checkpoint.
        latest = find_latest_checkpoint(cfg.work_dir) or _newest(cfg.work_dir)
        cfg.resume = latest is not None
        if cfg.resume:
            cfg.load_from = latest
            return
        start = cfg.get('load_from')
        weights = f'the weights of load_from={start!r}'
        print_log(
            f'Nothing was resumed, since work_dir={cfg.work_dir!r} holds no '
            'checkpoint: the training starts at the beginning, with '
            f'{weights if start else "fresh weights"}. To resume from a '
            'certain file, give --resume FILE.',
            logger='current',
            level=logging.WARNING,
        )


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a config, in this process of the launcher's.

    Raises:
        ValueError: If another launcher than ``pytorch`` starts processes
            without a GPU, or the checkpoint to start from is damaged.
        FileNotFoundError: If the checkpoint to resume from does not exist.
    """
    _check_checkpoint(cfg)
    _resume_seed(cfg)
    if cfg.launcher != 'none' and get_device() == 'cpu':
        _use_gloo(cfg)
    custom = 'runner_type' in cfg
    runner = RUNNERS.build(cfg) if custom else Runner.from_cfg(cfg)
    CheckRunHook.add_to(runner)
    return runner


def build_training_set(
    path: str, options: dict[str, Any] | None = None
) -> Any:
    """Build the training data set of a config, wrappers included.

    Args:
        path (str): As in :func:`read_config`.
        options (dict | None): Fields to set, by dotted names.

    Raises:
        ValueError: If the config has none.
    """
    cfg = read_config(path, options)
    loader = cfg.get('train_dataloader')
    if loader is None:
        raise ValueError(
            f'config: {path!r} has no train_dataloader, so there is nothing '
            'to count; give the config of a training'
        )
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    return DATASETS.build(loader.dataset)


def check_bilateral(cfg: Config) -> None:
    """See that batches of two samplers go to a model of two branches.

    (``AlphaScheduleHook`` refuses batches of one sampler, ``CheckRunHook`` a
    model without the schedule of alpha.)

    Raises:
        ValueError: If a model of one branch is to train on two samplers.
    """
    loader = cfg.get('train_dataloader') or {}
    sampler = loader.get('batch_sampler') or {}
    model = _name(cfg.model)
    if _name(sampler) == 'BilateralBatchSampler' and model in (
        'ImageClassifier',
        'TimmClassifier',
        'HuggingFaceClassifier',
    ):
        raise ValueError(
            f'batch_sampler: mmlt.BilateralBatchSampler adds B re-balanced '
            f'images to each batch, which {model} would take for ordinary '
            "ones: use model=dict(type='mmlt.BBNClassifier', ...), or the "
            "sampler alone, as in sampler=dict(type='mmlt.ReversedSampler')"
        )


def _name(config: Any) -> str:
    """Name of the type of a config, without its scope."""
    kind = config.get('type') if isinstance(config, dict) else type(config)
    kind = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return kind.rpartition('.')[2]


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


def _drop_hooks(cfg: Config) -> None:
    """Let None take out a hook of ours, as it does with MMEngine's."""
    hooks = cfg.get('default_hooks') or {}
    for name in [name for name, hook in hooks.items() if hook is None]:
        if name not in MMENGINE_HOOKS:
            del hooks[name]


def _check_checkpoint(cfg: Config) -> None:
    """Look at the ends of the file that the run is to start from."""
    path = cfg.get('load_from')
    if not path or '://' in path:
        return
    damage = _damage(Path(path))
    # MMEngine names a missing file of weights, TrainablePartsHook its cure.
    if damage is None or (damage == MISSING and not cfg.get('resume')):
        return
    newest = _newest(cfg.work_dir)
    cure = f'the newest intact one in work_dir={cfg.work_dir!r} is {newest!r}'
    if newest is None:
        cure = f'work_dir={cfg.work_dir!r} holds no intact one'
    elif cfg.get('resume'):
        cure += f'; to go on from there, give --resume {newest}'
    error = FileNotFoundError if damage == MISSING else ValueError
    raise error(f'the checkpoint {path!r} {damage}; {cure}')


def _newest(work_dir: str) -> str | None:
    """The newest intact checkpoint in a folder that can be resumed."""
    files = [
        file
        # The best ones cannot: they hold no optimizer.
        for pattern in ('epoch_*.pth', 'iter_*.pth')
        for file in Path(work_dir).glob(pattern)
        if _damage(file) is None
    ]
    files.sort(key=lambda file: file.stat().st_mtime)
    return str(files[-1]) if files else None


def _damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, as far as its ends show."""
    if not path.exists():
        return MISSING
    if path.is_dir() or zipfile.is_zipfile(path):
        return None  # DeepSpeed writes folders.
    with path.open('rb') as file:
        head = file.read(4)
    if not head:
        return 'is empty'
    if head.startswith(b'PK'):
        return 'is cut off'
    # PyTorch's formats of old: a pickle, or a tar file.
    if head.startswith(b'\x80') or tarfile.is_tarfile(path):
        return None
    return 'is no file of torch.save, or is damaged'


def _resume_seed(cfg: Config) -> None:
    """Give a run that drew its seed the same one again.

    MMEngine does so too late: samplers and workers have theirs by then.
    """
    if not cfg.get('resume') or not cfg.get('load_from'):
        return
    if cfg.get('randomness', {}).get('seed') is None:
        checkpoint = CheckpointLoader.load_checkpoint(cfg.load_from, 'cpu')
        seed = checkpoint.get('meta', {}).get('seed')
        cfg.merge_from_dict({'randomness.seed': seed})


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
    timeout = cfg.env_cfg.dist_cfg.get('timeout')
    options = {}
    if timeout is not None:
        check_number('env_cfg.dist_cfg.timeout', timeout, positive=True)
        options['timeout'] = timedelta(seconds=timeout)
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo', **options)
