"""Features of the images of a config, for second stages that take seconds.

A trained classifier sees each training and each test image once, as in
testing. What its last layer gets is written to ``features_train.npz`` and
``features_test.npz``, which ``mmlt.LoadImageFeature`` reads::

    python tools/dataset_converters/image_features.py \\
        CONFIG work_dirs/CONFIG/epoch_200.pth --out data/features

The training part is that of the config, wrappers included: all images of a
long-tailed part, and both sides of ``mmlt.HoldOutDataset`` around it. With
``--before backbone.layers.5.4``, the files hold the maps that this module
gets, for a second stage that trains it and what follows.
"""

import argparse
from pathlib import Path

import numpy as np
from mmengine.config import DictAction
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor, nn

from mmlt.datasets.features import image_names, save_features
from mmlt.engine.features import (
    as_in_testing,
    extract_features,
    load_classifier,
)
from mmlt.engine.launch import load_config

PARTS = ('train', 'val', 'test')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('config', help='config of the classifier and its data')
    add('checkpoint', help='its weights')
    add('--out', type=Path, required=True, help='folder of the files')
    add(
        '--parts',
        nargs='+',
        choices=PARTS,
        default=['train', 'test'],
        help='data loaders of the config; default: train test',
    )
    add('--half', action='store_true', help='write float16, not float32')
    add(
        '--before',
        metavar='MODULE',
        help='write what this module of the classifier gets; default: what '
        'the head gets',
    )
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='change the config: key=value',
    )
    return parser.parse_args(argv)


def keep_inputs(model: nn.Module, name: str, inputs: list[Tensor]) -> None:
    """Append what a module gets to a list, at every call.

    Raises:
        ValueError: If the model has no such module.
    """
    modules = dict(model.named_modules())
    if name not in modules:
        names = [f'backbone.{n}' for n, _ in model.backbone.named_children()]
        raise ValueError(
            f'before must be the name of a module of the classifier ({names}, '
            f'...), but got {name!r}'
        )
    modules[name].register_forward_pre_hook(
        lambda _, args: inputs.append(args[0].cpu())
    )


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    model = load_classifier(cfg, args.checkpoint).to(get_device())
    inputs = []
    if args.before is not None:
        keep_inputs(model, args.before, inputs)
    for part in args.parts:
        loader = Runner.build_dataloader(as_in_testing(cfg, part))
        dataset = loader.dataset
        names = image_names(
            [dataset.get_data_info(k) for k in range(len(dataset))]
        )
        print(f'{part}: {len(names)} images')
        dtype = np.float16 if args.half else np.float32
        batches = []
        for batch, _ in extract_features(model, loader):
            batch = inputs.pop() if inputs else batch
            batches.append(batch.numpy().astype(dtype))
        features = np.concatenate(batches)
        path = args.out / f'features_{part}.npz'
        save_features(path, names, features)
        print(f'\n{path}: {" x ".join(map(str, features.shape))}')


if __name__ == '__main__':
    main()
