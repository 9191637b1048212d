"""Draw scenes of coloured garments; fashion_scenes.py writes them to files.

Garments of Fashion-MNIST (28 x 28 grey pixels) are cut out, coloured, turned,
enlarged and laid on textured canvases; what they are and where they are
visible is known exactly. H, W height and width in pixels, C categories.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmlt.datasets.categories import FASHION_SCENES_CATEGORIES

ENOUGH_TRIES = 400


@dataclass(frozen=True)
class SceneStyle:
    """How scenes look.

    Args:
        canvas (int): Height and width in pixels.
        sizes (tuple[float, float]): Range of the longer side of a garment,
            before it is turned, in pixels; drawn uniformly in the logarithm.
        rotation (float): Largest angle in degrees, to either side.
        occlusion (float): Largest share of a garment that others may cover.

    Raises:
        ValueError: If garments do not fit the canvas or a range is empty.
    """

    canvas: int = 160
    sizes: tuple[float, float] = (20, 70)
    rotation: float = 15.0
    occlusion: float = 0.3

    def __post_init__(self) -> None:
        low, high = self.sizes
        if not 8 <= low <= high <= 0.75 * self.canvas:
            raise ValueError(
                'sizes must rise from at least 8 to at most 3/4 of '
                f'canvas={self.canvas}, got {self.sizes}'
            )
        if not (0 <= self.occlusion < 1 and 0 <= self.rotation <= 180):
            raise ValueError(
                'occlusion must be in [0, 1) and rotation in [0, 180], got '
                f'{self.occlusion} and {self.rotation}'
            )


def cut_out(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The garment of an image: its largest part, holes filled.

    Args:
        image (np.ndarray): (28, 28) uint8, black background.

    Returns:
        tuple[np.ndarray, np.ndarray]: Brightness in [0, 1], whose bright
        parts are 1 for dark garments, too, and mask, 0 or 1, both (H, W)
        float32, cropped to the garment.
    """
    contours, _ = cv2.findContours(
        np.uint8(image > 16), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    outline = max(contours, key=cv2.contourArea)
    mask = cv2.drawContours(np.zeros_like(image), [outline], -1, 1, -1)
    x, y, width, height = cv2.boundingRect(outline)
    crop = np.s_[y : y + height, x : x + width]
    bright = max(float(np.percentile(image[mask > 0], 90)), 1.0)
    grey = np.minimum(image[crop] / np.float32(bright), 1)
    return grey.astype(np.float32), mask[crop].astype(np.float32)


def paint(
    garment: tuple[np.ndarray, np.ndarray],
    colour: Sequence[float],
    size: float,
    angle: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Colour, enlarge and turn a garment.

    Args:
        garment (tuple): Of :func:`cut_out`.
        colour (Sequence[float]): Red, green and blue in [0, 255].
        size (float): Longer side in pixels, before it is turned.
        angle (float): In degrees.

    Returns:
        tuple[np.ndarray, np.ndarray]: (H, W, 3) float32 colours in [0, 255]
        and (H, W) bool mask without an empty margin.
    """
    grey, mask = garment
    height, width = grey.shape
    scale = size / max(height, width)
    side = int(np.ceil(1.5 * size))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    matrix[:, 2] += side / 2 - np.array([width, height]) / 2
    grey = cv2.warpAffine(
        grey, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE
    )
    inside = cv2.warpAffine(mask, matrix, (side, side)) >= 0.5
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    crop = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    shade = 0.25 + 0.75 * grey[crop][..., None]
    return shade * np.asarray(colour, np.float32), inside[crop]


def texture(canvas: int, rng: np.random.Generator) -> np.ndarray:
    """(canvas, canvas, 3) float32 background: a dull colour and clouds."""
    image = np.full((canvas, canvas), rng.uniform(70, 180), np.float32)
    for cells, strength in ((4, 25), (16, 15), (canvas // 2, 9)):
        noise = rng.normal(0, strength, (cells, cells)).astype(np.float32)
        image += cv2.resize(
            noise, (canvas, canvas), interpolation=cv2.INTER_CUBIC
        )
    return image[..., None] * rng.uniform(0.8, 1.2, 3).astype(np.float32)


def compose(
    garments: Sequence[np.ndarray],
    colours: Sequence[Sequence[float]],
    style: SceneStyle,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Lay garments on a canvas, one after the other, at random places.

    Args:
        garments (Sequence[np.ndarray]): M images (28, 28) uint8.
        colours (Sequence[Sequence[float]]): M colours, RGB in [0, 255].
        style (SceneStyle): Sizes and so on.
        rng (np.random.Generator): Source of randomness.

    Returns:
        tuple[np.ndarray, np.ndarray]: (H, W, 3) uint8 RGB image, and (H, W)
        int64 index of the garment that is seen in each pixel, -1 for none.

    Raises:
        RuntimeError: If there is no room for all garments.
    """
    image = texture(style.canvas, rng)
    owner = np.full(image.shape[:2], -1)
    # Pixels of each garment that may still be covered.
    spare: list[float] = []
    for garment, colour in zip(garments, colours, strict=True):
        cut = cut_out(garment)
        size = np.exp(rng.uniform(*np.log(style.sizes)))
        tint = np.asarray(colour) * rng.uniform(0.88, 1.05, 3)
        for _ in range(ENOUGH_TRIES):
            angle = rng.uniform(-style.rotation, style.rotation)
            patch, mask = paint(cut, tint, size, angle)
            room = np.array(owner.shape) - mask.shape
            if room.min() >= 0:
                y, x = rng.integers(room + 1)
                place = np.s_[y : y + len(mask), x : x + mask.shape[1]]
                below = owner[place][mask]
                covered = np.bincount(below[below >= 0], minlength=len(spare))
                if (covered <= spare).all():
                    break
            # In a crowded scene, a smaller one finds its place.
            size = max(style.sizes[0], 0.98 * size)
        else:
            raise RuntimeError(
                f'no room for {len(garments)} garments of {style.sizes} '
                f'pixels on a canvas of {style.canvas}; take fewer or '
                'smaller ones, or a larger canvas'
            )
        spare = [*(spare - covered), style.occlusion * mask.sum()]
        owner[place][mask] = len(spare) - 1
        image[place][mask] = patch[mask] + rng.normal(0, 4, (mask.sum(), 1))
    image = cv2.GaussianBlur(image, (3, 3), 0.5)
    return image.clip(0, 255).astype(np.uint8), owner


def train_counts(
    total: int, imbalance: float, rng: np.random.Generator
) -> np.ndarray:
    """(C,) training instances: they fall geometrically with the rank.

    Args:
        total (int): About as many in all.
        imbalance (float): Largest count over smallest; none is below 2.
        rng (np.random.Generator): Draws which category has which rank.
    """
    weight = imbalance ** -np.linspace(0, 1, len(FASHION_SCENES_CATEGORIES))
    counts = np.maximum(np.rint(total * weight / weight.sum()), 2)
    return rng.permutation(counts.astype(np.int64))


def val_counts(train: np.ndarray, total: int, least: int) -> np.ndarray:
    """(C,) test instances: ``least``, plus a part that goes with sqrt(n_k).

    Raises:
        ValueError: If ``total`` is too small.
    """
    rest = total - least * len(train)
    if rest < 0:
        raise ValueError(
            f'{total} val instances are too few for {least} of each of the '
            f'{len(train)} categories; take more scenes or more garments in '
            'each'
        )
    weight = np.sqrt(train)
    return least + np.floor(rest * weight / weight.sum()).astype(np.int64)


def deal(
    counts: np.ndarray,
    frequent: np.ndarray,
    num_scenes: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Deal instances to scenes, with a frequent category in each.

    As long as there are enough of them, so that rare garments lie beside
    frequent ones. A scene has at least about half of the average number.

    Args:
        counts (np.ndarray): (C,) instances.
        frequent (np.ndarray): (C,) bool.
        num_scenes (int): Number of scenes.
        rng (np.random.Generator): Source of randomness.

    Returns:
        list[np.ndarray]: Categories of each scene.
    """
    instances = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    order = np.argsort(~frequent[instances], kind='stable')
    first = instances[order[:num_scenes]]
    others = rng.permutation(instances[order[num_scenes:]])
    least = max(round(len(instances) / num_scenes / 2) - 1, 0)
    scene = np.repeat(np.arange(num_scenes), least)
    free = rng.integers(num_scenes, size=len(others) - len(scene))
    scene = np.sort(np.concatenate([scene, free]))
    parts = np.split(others, np.searchsorted(scene, range(1, num_scenes)))
    return [
        rng.permutation([anchor, *part])
        for anchor, part in zip(first, parts, strict=True)
    ]


def crowd(
    scenes: list[np.ndarray], num_crowds: int, times: int
) -> list[np.ndarray]:
    """Join the first scenes to crowds, of the garments of several each.

    Args:
        scenes (list[np.ndarray]): Categories of each scene.
        num_crowds (int): Crowds to make.
        times (int): Scenes in a crowd.
    """
    joined = num_crowds * times
    crowds = [
        np.concatenate(scenes[start : start + times])
        for start in range(0, joined, times)
    ]
    return crowds + scenes[joined:]
