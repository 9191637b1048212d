"""Print a config with its bases and options merged in."""

import argparse

from mmengine.config import DictAction

from mmlt.engine.launch import read_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--out', help='also write it to this file')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='change the '
        'config: key=value, key="[a,b]", nested.key=value'
    )  # fmt: skip
    args = parser.parse_args()
    cfg = read_config(args.config, args.cfg_options)
    print(cfg.pretty_text)
    if args.out is not None:
        cfg.dump(args.out)


if __name__ == '__main__':
    main()
