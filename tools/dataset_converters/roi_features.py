"""Features of RoIs, for second stages of a detector that take seconds.

A trained two-stage detector sees each training image, and its mirror image if
training flips, and each val image once. Its proposals, the true boxes, and
what the last shared layer of its box head says of them are written to
``roi_features_train.npz`` and ``roi_features_val.npz``, which
``mmlt.LoadRoIFeatures`` reads::

    python tools/dataset_converters/roi_features.py \\
        CONFIG work_dirs/CONFIG/epoch_12.pth --out data/features
"""

import argparse
from pathlib import Path

from mmdet.apis import init_detector
from mmengine.config import DictAction
from mmengine.device import get_device
from mmengine.runner import Runner

from mmlt.datasets.roi_features import save_roi_features
from mmlt.engine.launch import load_config
from mmlt.engine.roi_features import extract_roi_features, views_of_training


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('config', help='config of the detector and its data')
    add('checkpoint', help='its weights')
    add('--out', type=Path, required=True, help='folder of the files')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='change the config: key=value',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    model = init_detector(
        cfg, args.checkpoint, palette='random', device=get_device()
    )
    parts = {'train': views_of_training(cfg), 'val': [cfg.val_dataloader]}
    for part, loaders in parts.items():
        images: dict[int, list[dict]] = {}
        for loader in map(Runner.build_dataloader, loaders):
            for view in extract_roi_features(model, loader, part == 'train'):
                images.setdefault(view.pop('img_id'), []).append(view)
        path = args.out / f'roi_features_{part}.npz'
        save_roi_features(path, images)
        print(f'{path}: {len(images)} images, {len(loaders)} views of each')


if __name__ == '__main__':
    main()
