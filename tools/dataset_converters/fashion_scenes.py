"""Make Fashion-Scenes: long-tailed detection data in the LVIS format.

Garments of Fashion-MNIST in six colours on textured canvases, 60 categories.
Training scenes take their garments from its training split, val scenes from
its test split. The same arguments give the same files. Needs the four idx
files, see fashion_mnist.py.

Example::

    python tools/dataset_converters/fashion_scenes.py \\
        --source data/fashion_mnist --out data/fashion_scenes

Fewer and larger garments, for multi-label classification::

    python tools/dataset_converters/fashion_scenes.py \\
        --out data/fashion_scenes_multi_label --garments 3 --canvas 224 \\
        --sizes 60 100 --occlusion 0.4 --imbalance 100

Many small garments in a tenth of the scenes, few larger ones in the others::

    python tools/dataset_converters/fashion_scenes.py \\
        --out data/fashion_scenes_small --canvas 192 --garments 2 \\
        --sizes 56 144 --crowds 0.1 --crowd-times 9

Masks are encoded by pycocotools, which ``--no-masks`` does without.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scene_generator import (
    SceneStyle,
    compose,
    crowd,
    deal,
    train_counts,
    val_counts,
)

from mmlt.datasets.categories import (
    COLOURS,
    FASHION_SCENES_CATEGORIES,
    GARMENTS,
)

IDX_FILES = {'train': 'train', 'val': 't10k'}
LARGEST_OF_GROUP = {'r': 10, 'c': 100}  # images, as LVIS has it
JPEG_QUALITY = 92


def read_garments(folder: Path, split: str) -> list[np.ndarray]:
    """The images (28, 28) of each kind of garment.

    Raises:
        FileNotFoundError: If ``folder`` lacks a file.
        ValueError: If a file is damaged.
    """
    arrays = []
    for content, header in (('images-idx3', 16), ('labels-idx1', 8)):
        path = folder / f'{IDX_FILES[split]}-{content}-ubyte'
        if not path.is_file():
            raise FileNotFoundError(
                f'source: {path} is missing; `python tools/'
                f'dataset_converters/fashion_mnist.py --out {folder}` gets it'
            )
        arrays.append(np.fromfile(path, np.uint8, offset=header))
    images, labels = arrays
    if len(images) != 28 * 28 * len(labels):
        raise ValueError(
            f'source: {path} holds {len(labels)} labels, the images do not '
            'fit; fetch both again'
        )
    images = images.reshape(-1, 28, 28)
    kinds = [images[labels == kind] for kind in range(len(GARMENTS))]
    if not all(map(len, kinds)):
        raise ValueError(f'source: {path} lacks a kind of garment')
    return kinds


def load_encoder() -> Callable[[np.ndarray], dict]:
    """What makes a mask (H, W) run-length encoded.

    Raises:
        ModuleNotFoundError: If pycocotools is not installed.
    """
    try:
        from pycocotools.mask import encode
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{error}; masks need it: pip install pycocotools. Without '
            'instance segmentation, --no-masks leaves them out'
        ) from error

    def encode_mask(mask: np.ndarray) -> dict:
        counts = encode(np.asfortranarray(mask, np.uint8))['counts']
        return {'size': list(mask.shape), 'counts': counts.decode()}

    return encode_mask


def annotate(
    owner: np.ndarray,
    categories: np.ndarray,
    encode: Callable[[np.ndarray], dict] | None,
) -> list[dict]:
    """Annotations of what is visible in a scene, without any id of theirs."""
    result = []
    for index, category in enumerate(categories.tolist()):
        mask = owner == index
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        corner = columns[0], rows[0]
        size = np.ptp(columns) + 1, np.ptp(rows) + 1
        entry = {
            'category_id': category + 1,
            'bbox': [float(x) for x in (*corner, *size)],
            'area': float(mask.sum()),
        }
        if encode is not None:
            entry['segmentation'] = encode(mask)
        result.append(entry)
    return result


def make_split(
    split: str,
    scenes: list[np.ndarray],
    kinds: list[np.ndarray],
    styles: list[SceneStyle],
    out: Path,
    seed: int,
    encode: Callable[[np.ndarray], dict] | None,
) -> tuple[list[dict], list[dict]]:
    """Write the images of a split; return the entries of its json."""
    code = list(IDX_FILES).index(split)
    rng = np.random.default_rng([seed, 1, code])
    palette = list(COLOURS.values())
    num = len(FASHION_SCENES_CATEGORIES)
    # Each image of a kind comes once before any comes again.
    decks = [rng.permutation(len(images)) for images in kinds]
    used = [0] * len(kinds)
    images, annotations = [], []
    (out / split).mkdir(parents=True, exist_ok=True)
    for number, (categories, style) in enumerate(
        zip(scenes, styles, strict=True)
    ):
        garments = []
        for kind in (categories // len(COLOURS)).tolist():
            deck = decks[kind]
            garments.append(kinds[kind][deck[used[kind] % len(deck)]])
            used[kind] += 1
        image, owner = compose(
            garments,
            [palette[k] for k in categories % len(COLOURS)],
            style,
            np.random.default_rng([seed, 2, code, number]),
        )
        name = f'{split}/{number:06d}.jpg'
        _, data = cv2.imencode(
            '.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        )
        (out / name).write_bytes(data.tobytes())
        absent = set(range(num)) - set(categories.tolist())
        images.append(
            {
                'id': 1_000_000 * code + number + 1,
                'file_name': name,
                # Where mmdet's LVISV1Dataset looks for the name.
                'coco_url': name,
                'height': style.canvas,
                'width': style.canvas,
                'neg_category_ids': sorted(k + 1 for k in absent),
                'not_exhaustive_category_ids': [],
            }
        )
        for entry in annotate(owner, categories, encode):
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': images[-1]['id'],
                    **entry,
                }
            )
        if (number + 1) % 500 == 0 or number + 1 == len(scenes):
            print(f'{split}: {number + 1} of {len(scenes)}', flush=True)
    return images, annotations


def describe_categories(scenes: list[np.ndarray]) -> list[dict]:
    """The json entries, with the counts of the training scenes."""
    num = len(FASHION_SCENES_CATEGORIES)
    present = np.concatenate([np.unique(scene) for scene in scenes])
    image_count = np.bincount(present, minlength=num)
    instance_count = np.bincount(np.concatenate(scenes), minlength=num)
    group = np.digitize(
        image_count, list(LARGEST_OF_GROUP.values()), right=True
    )
    return [
        {
            'id': k + 1,
            'name': name,
            'synset': f'{name}.n.01',
            'synonyms': [name],
            'def': name.replace('_', ' '),
            'frequency': 'rcf'[group[k]],
            'image_count': int(image_count[k]),
            'instance_count': int(instance_count[k]),
        }
        for k, name in enumerate(FASHION_SCENES_CATEGORIES)
    ]


def draw(folder: Path, path: Path, columns: int = 6, rows: int = 2) -> None:
    """Draw scenes with their boxes, over the images of each category."""
    content = json.loads(
        (folder / 'annotations/fashion_scenes_train.json').read_text()
    )
    categories = content['categories']
    count = np.array([category['image_count'] for category in categories])
    group = np.array([category['frequency'] for category in categories])
    colours = {'r': 'tab:red', 'c': 'tab:orange', 'f': 'tab:green'}
    rarest: dict[int, int] = {image['id']: 0 for image in content['images']}
    for entry in content['annotations']:
        is_rare = group[entry['category_id'] - 1] == 'r'
        rarest[entry['image_id']] += is_rare
    # Those with rare garments first, else hardly any would be seen.
    shown = sorted(content['images'], key=lambda each: -rarest[each['id']])
    figure = Figure(figsize=(9, 5.2), layout='constrained')
    scenes, bars = figure.subfigures(2, height_ratios=(2, 1))
    grid = scenes.subplots(rows, columns).flat
    for axes, image in zip(grid, shown, strict=False):
        axes.imshow(cv2.imread(str(folder / image['file_name']))[..., ::-1])
        axes.axis('off')
        for entry in content['annotations']:
            if entry['image_id'] == image['id']:
                x, y, width, height = entry['bbox']
                box = Rectangle((x, y), width, height, fill=False)
                box.set_edgecolor(colours[group[entry['category_id'] - 1]])
                axes.add_patch(box)
    axes = bars.subplots()
    order = np.argsort(-count, kind='stable')
    for letter, name in zip(
        'fcr', ('frequent', 'common', 'rare'), strict=True
    ):
        position = np.flatnonzero(group[order] == letter)
        axes.bar(
            position,
            count[order][position],
            color=colours[letter],
            label=f'{name}: {len(position)} categories',
        )
    axes.set_yscale('log')
    axes.set_ylabel('training images')
    axes.set_xlabel('category')
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=75)


def check_crowds(args: argparse.Namespace) -> None:
    """See whether some scenes can be crowds.

    Raises:
        ValueError: If not.
    """
    if not 0 <= args.crowds <= 1:
        raise ValueError(
            f'crowds must be a share of scenes in [0, 1], got {args.crowds}'
        )
    if args.crowd_times < 1:
        raise ValueError(f'crowd-times must be >= 1, got {args.crowd_times}')


def make(args: argparse.Namespace) -> None:
    style = SceneStyle(
        args.canvas, tuple(args.sizes), args.rotation, args.occlusion
    )
    check_crowds(args)
    encode = load_encoder() if args.masks else None
    kinds = {split: read_garments(args.source, split) for split in IDX_FILES}
    rng = np.random.default_rng([args.seed, 0])
    num = dict(train=args.num_train, val=args.num_val)
    crowds = {split: round(args.crowds * num[split]) for split in num}
    # Scenes before some of them are joined to crowds.
    parts = {
        split: num[split] + crowds[split] * (args.crowd_times - 1)
        for split in num
    }
    counts = train_counts(
        round(args.garments * parts['train']), args.imbalance, rng
    )
    frequent = counts > LARGEST_OF_GROUP['c']
    val = val_counts(
        counts, round(args.garments * parts['val']), args.least_val
    )
    scenes, styles = {}, {}
    for split, instances in (('train', counts), ('val', val)):
        dealt = deal(instances, frequent, parts[split], rng)
        scenes[split] = crowd(dealt, crowds[split], args.crowd_times)
        styles[split] = [style] * num[split]
        if crowds[split]:
            small = replace(style, sizes=tuple(args.crowd_sizes))
            styles[split][: crowds[split]] = [small] * crowds[split]
    categories = describe_categories(scenes['train'])
    folder = args.out / 'annotations'
    folder.mkdir(parents=True, exist_ok=True)
    for split in scenes:
        images, annotations = make_split(
            split,
            scenes[split],
            kinds[split],
            styles[split],
            args.out,
            args.seed,
            encode,
        )
        content = {
            'info': {
                'description': 'Fashion-Scenes, made of Fashion-MNIST (MIT)',
                'arguments': {
                    key: value
                    for key, value in vars(args).items()
                    if key not in ('source', 'out', 'figure', 'masks')
                    and (args.crowds or not key.startswith('crowd'))
                },
            },
            'licenses': [],
            'images': images,
            'annotations': annotations,
            'categories': categories,
        }
        path = folder / f'fashion_scenes_{split}.json'
        path.write_text(json.dumps(content), encoding='utf-8')
        print(f'{path}: {len(images)} scenes, {len(annotations)} garments')
    if args.figure is not None:
        draw(args.out, args.figure)
    groups = [category['frequency'] for category in categories]
    print(', '.join(f'{groups.count(g)} {g}' for g in 'rcf'), 'categories')


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--source', type=Path, default=Path('data/fashion_mnist'))
    add('--out', type=Path, default=Path('data/fashion_scenes'))
    add('--seed', type=int, default=0)
    add('--num-train', type=int, default=2000, help='training scenes')
    add('--num-val', type=int, default=500, help='val scenes')
    add('--garments', type=float, default=6, help='in a scene, on average')
    add('--sizes', type=float, nargs=2, default=(20, 70), help='in pixels')
    add('--crowds', type=float, default=0, help='share of crowded scenes')
    add(
        '--crowd-times',
        type=int,
        default=6,
        help='garments in a crowd, over those in another scene',
    )
    add(
        '--crowd-sizes',
        type=float,
        nargs=2,
        default=(8, 24),
        help='of the garments in a crowd, in pixels',
    )
    add('--canvas', type=int, default=160, help='side of a scene, in pixels')
    add('--rotation', type=float, default=15, help='largest, in degrees')
    add('--occlusion', type=float, default=0.3, help='largest share covered')
    add(
        '--imbalance',
        type=float,
        default=650,
        help='training instances of the first category over the last',
    )
    add(
        '--least-val',
        type=int,
        default=20,
        help='val instances of each category, at least',
    )
    add(
        '--no-masks',
        dest='masks',
        action='store_false',
        help='leave the masks out: boxes and labels need no pycocotools',
    )
    add('--figure', type=Path, help='draw sample scenes to this image file')
    make(parser.parse_args(argv))


if __name__ == '__main__':
    main()
