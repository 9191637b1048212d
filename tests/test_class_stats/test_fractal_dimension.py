import math

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset
from torch.utils.data import Subset

from mmlt.class_stats import ClassStats, collect_class_stats
from mmlt.class_stats.fractal_dimension import fractal_dimension
from mmlt.class_stats.labels import collect_labels


def by_hand(points):
    """The slope, box by box and grid by grid."""
    if len(points) < 4:
        return 1.0
    xs, ys = [], []
    for grid in (1, 2, 4, 8, 16, 32, 64):
        cells = set()
        for x, y in points:
            column = min(math.floor(x * grid), grid - 1)
            row = min(math.floor(y * grid), grid - 1)
            cells.add((column, row))
        xs.append(math.log(grid))
        ys.append(math.log(len(cells)))
    mean_x, mean_y = sum(xs) / 7, sum(ys) / 7
    above = sum(
        (x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)
    )
    return max(above / sum((x - mean_x) ** 2 for x in xs), 1.0)


def test_is_the_slope_of_occupied_cells():
    rng = np.random.default_rng(0)
    counts = [3, 4, 30, 400, 3000, 0]
    labels = rng.permutation(np.repeat(np.arange(6), counts))
    centres = rng.random((len(labels), 2))
    centres[labels == 3] *= 0.3
    found = fractal_dimension(labels, centres, 6)
    for k in range(6):
        expected = by_hand(centres[labels == k].tolist())
        assert found[k] == pytest.approx(expected, abs=1e-12)
    assert (found[:2] == 1).all()
    assert found[2] < found[4]


def test_a_square_has_two_dimensions_and_a_line_one():
    side = (np.arange(64) + 0.5) / 64
    square = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    line = np.stack([side, side], -1)
    labels = np.repeat([0, 1], [len(square), len(line)])
    found = fractal_dimension(labels, np.concatenate([square, line]), 2)
    np.testing.assert_allclose(found, [2, 1], rtol=1e-12)


def test_centres_on_and_beyond_the_border_count_in_the_last_cell():
    inside = np.array([[0.99, 0.99], [0, 0.99], [0.99, 0], [0, 0]])
    outside = np.array([[1.2, 1.0], [-0.5, 1.0], [1.0, -0.1], [0, 0]])
    labels = np.zeros(4, dtype=int)
    assert fractal_dimension(labels, outside, 1) == fractal_dimension(
        labels, inside, 1
    )


class Boxes(BaseDataset):
    METAINFO = {'classes': ('ant', 'bee')}  # noqa: RUF012

    def __init__(self, infos, **kwargs):
        self.infos = infos
        super().__init__(**kwargs)

    def load_data_list(self):
        return list(self.infos)


def image(*boxes, size=(200, 100), **changes):
    instances = [
        dict(bbox_label=label, bbox=list(box), ignore_flag=ignored)
        for label, ignored, box in boxes
    ]
    width, height = size
    info = dict(width=width, height=height, instances=instances)
    return {**info, **changes}


INFOS = [
    image(
        (0, 0, (0, 0, 20, 20)), (1, 1, (0, 0, 2, 2)), (1, 0, (0, 0, 200, 4))
    ),
    image(),
    image((0, 0, (1, 2, 3, 4)), size=(8, 16)),
]
CENTRES = [[0.05, 0.1], [0.5, 0.02], [0.25, 0.1875]]


@pytest.mark.parametrize('serialize_data', [False, True])
def test_centres_are_shares_of_the_image(serialize_data):
    dataset = Boxes(INFOS, serialize_data=serialize_data)
    labels = collect_labels(dataset)
    assert labels.labels.tolist() == [0, 1, 0]
    np.testing.assert_allclose(labels.centres, CENTRES, rtol=1e-6)


def test_centres_follow_the_wrappers():
    dataset = ConcatDataset([Boxes(INFOS[:2]), Boxes(INFOS[2:])])
    np.testing.assert_allclose(
        collect_labels(dataset).centres, CENTRES, rtol=1e-6
    )
    part = collect_labels(Subset(dataset, [2, 0]))
    np.testing.assert_allclose(
        part.centres, [CENTRES[2], *CENTRES[:2]], rtol=1e-6
    )


@pytest.mark.parametrize(
    'unknown',
    [
        dict(width=0),
        dict(width=None),
        dict(instances=[dict(bbox_label=0)]),
        dict(instances=[dict(bbox_label=0, bbox=[1, 2, 3, 4, 0.5])]),
        dict(instances=[dict(bbox_label=0, bbox=None)]),
    ],
)
def test_without_boxes_and_sizes_nothing_is_known(unknown):
    infos = [INFOS[0], image((0, 0, (0, 0, 2, 2)), **unknown)]
    assert collect_labels(Boxes(infos)).centres is None
    stats = collect_class_stats(ConcatDataset([Boxes(INFOS), Boxes(infos)]))
    assert stats.fractal_dimension is None
    assert 'fractal_dimension' not in stats.to_dict()


def test_is_counted_with_the_classes_and_kept(tmp_path):
    rng = np.random.default_rng(1)
    corners = rng.random((500, 4)).tolist()
    boxes = [image((1, 0, corner), size=(1, 1)) for corner in corners]
    stats = collect_class_stats(Boxes([*INFOS, *boxes]))
    dimension = stats.fractal_dimension
    assert dimension[0] == 1
    assert 1 < dimension[1] < 2
    stats.to_json(tmp_path / 'stats.json')
    assert ClassStats.from_json(tmp_path / 'stats.json') == stats
    meta = dict(class_stats=stats.to_dict())
    assert ClassStats.from_checkpoint(dict(meta=meta)) == stats
    turned = stats.aligned_to(['bee', 'ant'])
    assert turned.fractal_dimension.tolist() == dimension[::-1].tolist()
    changed = ClassStats.from_dict(
        {**stats.to_dict(), 'fractal_dimension': [1.0, 1.0]}
    )
    assert 'fractal_dimension of 1 classes' in changed.difference(stats)


@pytest.mark.parametrize(
    'value', [[1.0], [1.0, 2.5], [0.5, 1.0], [math.nan, 1.0], 'ab', 1.0, [[1]]]
)
def test_a_dimension_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match=r'fractal_dimension must hold 2 num'):
        ClassStats([5, 2], fractal_dimension=value)
