"""Train the model of a config."""

import argparse
import os

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='folder for logs and checkpoints, default: '
        './work_dirs/{config name}'
    )  # fmt: skip
    parser.add_argument(
        '--resume', nargs='?', const='auto', help='resume from this '
        'checkpoint, without a value from the latest one in the work dir, if '
        'there is one'
    )  # fmt: skip
    parser.add_argument(
        '--amp', action='store_true', help='train with mixed precision'
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='skip validation'
    )
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate '
        'with the real batch size, from auto_scale_lr.base_batch_size'
    )  # fmt: skip
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='change the '
        'config: key=value, key="[a,b]", nested.key=value'
    )  # fmt: skip
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none', help='what starts the processes'
    )  # fmt: skip
    # torch.distributed.launch passes either form.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    args = parse_args()
    # Not before: mim calls this script for its help first.
    from mmengine.device import get_device

    from mmlt.engine.launch import (
        build_runner,
        check_bilateral,
        choose_start,
        load_config,
    )

    cfg = load_config(
        args.config, args.cfg_options, args.work_dir, args.launcher
    )
    check_bilateral(cfg)
    choose_start(cfg, args.resume)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        if get_device() == 'cpu':
            raise ValueError('--amp needs a GPU; leave it out to use the CPU')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError(
                '--auto-scale-lr needs auto_scale_lr.base_batch_size in '
                f'{args.config}: the batch size that its lr is meant for'
            )
        cfg.auto_scale_lr.enable = True
    build_runner(cfg).train()


if __name__ == '__main__':
    main()
