"""Draw the first batches of a training, with and without its sampler.

    python tools/analysis_tools/browse_dataset.py CONFIG --out batches.png

Above, images as a uniform sampler draws them; below, as the sampler of the
config does, after all transforms. Each has the names of its classes, the
rarest first, and their training images.
"""

import argparse
from pathlib import Path

from mmengine.config import DictAction
from mmengine.registry import init_default_scope

from mmlt.analysis.batches import draw_batches, sample_batches
from mmlt.checks import check_size
from mmlt.engine.launch import load_config


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('config', help='config file')
    add('--out', type=Path, default=Path('batches.png'))
    add('--images', type=int, default=24, help='images of each; default: 24')
    add('--seed', type=int, default=0)
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='change the config: key=value, key="[a,b]", nested.key=value',
    )
    args = parser.parse_args(argv)
    check_size('--images', args.images)
    cfg = load_config(args.config, args.cfg_options)
    if cfg.get('train_dataloader') is None:
        raise ValueError(
            f'config: {args.config!r} has no train_dataloader; give the '
            'config of a training'
        )
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    preprocessor = {
        **cfg.get('data_preprocessor', {}),
        **cfg.model.get('data_preprocessor', {}),
    }
    to_rgb = preprocessor.get('to_rgb') or preprocessor.get('bgr_to_rgb')
    batches, stats = sample_batches(
        cfg.train_dataloader, args.images, args.seed, bool(to_rgb)
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_batches(batches, stats, args.out)
    print(f'Wrote {args.out}')


if __name__ == '__main__':
    main()
