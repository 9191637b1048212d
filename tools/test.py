"""Test a checkpoint of a config's model."""

import argparse
import os

from mmengine.config import Config, DictAction


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--work-dir', help='folder for logs, default: ./work_dirs/{config '
        'name}'
    )  # fmt: skip
    parser.add_argument('--out', help='write the predictions to this .pkl')
    parser.add_argument(
        '--dump-logits', metavar='FILE', help='write logits and labels to '
        'this file, see mmlt.DumpLogits; of a two-stage detector, only what '
        'it says of each proposal, see mmlt.DumpBoxes'
    )  # fmt: skip
    parser.add_argument(
        '--multi-label', action='store_true', help='for --dump-logits: images '
        'have any number of labels'
    )  # fmt: skip
    parser.add_argument(
        '--split', help='what --dump-logits calls the data, default: the '
        "data set's own split, else train of a HoldOutDataset with held_out, "
        'else test'
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
    if args.dump_logits is None and (args.split or args.multi_label):
        parser.error('--split and --multi-label belong to --dump-logits FILE')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def split_of(dataset: dict) -> str:
    """Name of the split that a data set reads, below its wrappers.

    What ``HoldOutDataset`` holds out is of the training data, unless the data
    set in it has another split.
    """
    held_out = False
    while 'dataset' in dataset:
        held_out = held_out or dataset.get('held_out', False)
        dataset = dataset['dataset']
    return dataset.get('split') or ('train' if held_out else 'test')


def stop_before_nms(cfg: Config) -> dict:
    """Let a detector return all boxes; return what it would do to them."""
    test_cfg = cfg.model.test_cfg.rcnn
    cfg.model.test_cfg.rcnn = None
    # Masks are those of detections.
    for part in ('mask_head', 'mask_roi_extractor'):
        cfg.model.roi_head.pop(part, None)
    return test_cfg


def main() -> None:
    args = parse_args()
    # Not before: mim calls this script for its help first.
    from mmlt.engine.launch import build_runner, load_config

    cfg = load_config(
        args.config, args.cfg_options, args.work_dir, args.launcher
    )
    # A config that resumes its training is tested like any other.
    cfg.resume, cfg.load_from = False, args.checkpoint
    evaluator = cfg.test_evaluator
    metrics = [evaluator] if isinstance(evaluator, dict) else list(evaluator)
    if args.dump_logits is not None:
        split = args.split or split_of(cfg.test_dataloader.dataset)
        dump = dict(out_file=args.dump_logits, split=split)
        if 'roi_head' in cfg.model:
            dump.update(type='mmlt.DumpBoxes', test_cfg=stop_before_nms(cfg))
            # Boxes before NMS are no detections, which others expect.
            metrics = []
        else:
            dump.update(type='mmlt.DumpLogits', multi_label=args.multi_label)
        metrics.append(dump)
    if args.out is not None:
        metrics.append(dict(type='DumpResults', out_file_path=args.out))
    cfg.test_evaluator = metrics
    build_runner(cfg).test()


if __name__ == '__main__':
    main()
