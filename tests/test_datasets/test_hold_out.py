import json
from pathlib import Path

import numpy as np
import pytest
from mmpretrain.registry import DATASETS as MMPRETRAIN_DATASETS

from mmlt.class_stats import collect_class_stats
from mmlt.class_stats.labels import ImageLabels, collect_labels
from mmlt.datasets import HoldOutDataset, LongTailedDataset
from mmlt.datasets.hold_out import hold_out
from mmlt.datasets.samplers import ClassFrequencySampler
from mmlt.registry import DATASETS

COUNTS = [200, 45, 14, 4, 3, 2, 1, 0]
LABELS = np.random.default_rng(3).permutation(np.repeat(range(8), COUNTS))
HELD_OUT = [20, 5, 1, 1, 1, 1, 0, 0]
NAMES = [f'class {k}' for k in range(8)]


@pytest.fixture
def single(list_dataset):
    return list_dataset(LABELS, metainfo=dict(classes=NAMES))


@pytest.fixture
def multi(tmp_path):
    """Make the config of a multi-label data set."""

    def make(labels):
        content = {
            'metainfo': {'classes': NAMES},
            'data_list': [
                {'img_path': f'{index}.png', 'gt_label': row}
                for index, row in enumerate(labels)
            ],
        }
        (tmp_path / 'list.json').write_text(json.dumps(content))
        return dict(
            type='mmpretrain.MultiLabelDataset',
            data_root=str(tmp_path),
            ann_file='list.json',
        )

    return make


def parts(dataset, **kwargs):
    return [
        DATASETS.build(
            dict(
                type='mmlt.HoldOutDataset',
                dataset=dataset,
                held_out=held_out,
                **kwargs,
            )
        )
        for held_out in (False, True)
    ]


def as_labels(rows):
    offsets = np.cumsum([0, *map(len, rows)])
    return ImageLabels(np.concatenate(rows).astype(int), offsets)


def test_each_class_is_in_both_parts(single):
    train, test = parts(single)
    # A class of one image stays in training.
    assert collect_class_stats(test).image_count.tolist() == HELD_OUT
    stats = collect_class_stats(train)
    assert stats.image_count.tolist() == list(np.subtract(COUNTS, HELD_OUT))
    assert stats.num_images == len(train)
    assert stats.classes == tuple(NAMES)
    assert train.metainfo == train.dataset.metainfo


def test_folds_leave_classes_empty(single):
    """Why there is a wrapper of ours."""
    fold = dict(type='KFoldDataset', num_splits=10, fold=0, seed=0)
    fold = MMPRETRAIN_DATASETS.build(
        dict(fold, test_mode=True, dataset=dict(single, lazy_init=False))
    )
    present = collect_class_stats(fold).image_count > 0
    assert present.sum() < np.count_nonzero(HELD_OUT)


def test_parts_are_the_whole(single):
    train, test = parts(single)
    both = np.concatenate([train.indices, test.indices])
    assert sorted(both) == list(range(len(LABELS)))
    for part in (train, test):
        assert (np.diff(part.indices) > 0).all()
        for position in (0, len(part) - 1, -1):
            index = int(part.indices[position])
            assert part[position] == part.dataset[index]
            assert part.get_cat_ids(position) == [LABELS[index]]
            info = part.get_data_info(position)
            assert info['img_path'].endswith(f'/{index}.png')
        with pytest.raises(IndexError):
            part[len(part)]


@pytest.mark.parametrize(
    ('share', 'expected'),
    [
        (0.5, [100, 23, 7, 2, 2, 1, 0, 0]),
        (0.99, [198, 44, 13, 3, 2, 1, 0, 0]),
        (1e-9, [1, 1, 1, 1, 1, 1, 0, 0]),
    ],
)
def test_share(single, share, expected):
    _, test = parts(single, share=share)
    assert collect_class_stats(test).image_count.tolist() == expected


def test_seed_decides(single):
    np.random.seed(1)  # noqa: NPY002
    first = parts(single, seed=1)[1].indices.tolist()
    np.random.seed(2)  # noqa: NPY002
    assert parts(single, seed=1)[1].indices.tolist() == first
    assert parts(single, seed=2)[1].indices.tolist() != first


def test_every_image_can_be_held_out():
    rows = as_labels(LABELS[:, None])
    times = sum(hold_out(rows, 0.5, seed).astype(int) for seed in range(40))
    # 40 draws of one half: 20 expected, sd 3.2
    usual = np.isin(LABELS, [0, 1, 2, 3])
    assert times[usual].min() >= 5
    assert times[usual].max() <= 35


def indices_of_rank(rank, config):
    np.random.seed(rank)  # noqa: NPY002
    return DATASETS.build(config).indices.tolist()


def test_two_ranks_hold_out_the_same_images(single, on_two_ranks):
    config = dict(type='mmlt.HoldOutDataset', held_out=True, dataset=single)
    first, second = on_two_ranks(indices_of_rank, config)
    assert first == second == indices_of_rank(5, config)


def test_multi_label(multi):
    rng = np.random.default_rng(0)
    chance = [0.5, 0.2, 0.05, 0.01, 0.005, 0.5, 0.2, 0.0]
    rows = [np.flatnonzero(rng.random(8) < chance) for _ in range(2000)]
    train, test = parts(multi([row.tolist() for row in rows]), share=0.2)
    empty = sum(not len(row) for row in rows)
    assert empty > 200
    counts = [collect_class_stats(part).image_count for part in (train, test)]
    total = np.sum(counts, axis=0)
    expected = np.bincount(np.concatenate(rows), minlength=8)
    assert total.tolist() == expected.tolist()
    assert (counts[0][:7] > 0).all()
    # Exact for the rarest, which has the first turn; near for the others.
    rarest = total[:7].argmin()
    assert counts[1][rarest] == round(0.2 * total[rarest])
    np.testing.assert_allclose(counts[1][:7], 0.2 * total[:7], atol=6)
    lengths = collect_labels(test).lengths
    assert (lengths == 0).sum() == round(0.2 * empty)
    position = int(lengths.argmax())
    expected = rows[test.indices[position]].tolist()
    assert test.get_cat_ids(position) == expected


def test_the_last_image_of_a_class_is_never_held_out():
    rng = np.random.default_rng(0)
    for seed in range(50):
        rows = [
            rng.choice(9, rng.integers(1, 4), replace=False) for _ in range(20)
        ]
        held_out = hold_out(as_labels(rows), 0.5, seed)
        kept = [
            row for row, out in zip(rows, held_out, strict=True) if not out
        ]
        assert set(np.concatenate(kept)) == set(np.concatenate(rows))
        assert held_out.any()


def test_instances_of_a_class_are_one_image():
    rows = as_labels([[0, 0, 0, 0], [0], [1], [1]])
    for seed in range(10):
        held_out = hold_out(rows, 0.5, seed)
        assert held_out[:2].sum() == held_out[2:].sum() == 1


def test_detection(tmp_path):
    """Its annotations are instances; a crowd does not count."""
    boxes = [(image, image % 3, 0) for image in range(12)]
    boxes += [(image, 3, image > 1) for image in range(12)]
    content = {
        'images': [
            {'id': k, 'file_name': f'{k}.png', 'width': 40, 'height': 40}
            for k in range(13)
        ],
        'categories': [{'id': k, 'name': NAMES[k]} for k in range(4)],
        'annotations': [
            {
                'id': k,
                'image_id': image,
                'category_id': label,
                'bbox': [2, 2, 10, 10],
                'area': 100,
                'iscrowd': int(crowd),
            }
            for k, (image, label, crowd) in enumerate(boxes)
        ],
    }
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    dataset = dict(
        type='mmdet.CocoDataset',
        data_root=str(tmp_path),
        ann_file='coco.json',
        data_prefix=dict(img=''),
        metainfo=dict(classes=NAMES[:4]),
    )
    train, test = (collect_class_stats(part) for part in parts(dataset))
    assert train.image_count.min() > 0
    assert (train.image_count + test.image_count).tolist() == [4, 4, 4, 2]
    assert test.image_count[3] == 1
    assert train.classes == tuple(NAMES[:4])


@pytest.mark.parametrize('long_tailed_inside', [True, False])
def test_long_tailed(list_dataset, long_tailed_inside):
    """Either wrapper goes around the other one."""
    images = list_dataset(np.arange(400) % 4)
    tail = dict(type='mmlt.LongTailedDataset', imbalance_factor=10)
    if long_tailed_inside:
        train, test = parts(dict(tail, dataset=images))
        counts = [[90, 41, 19, 9], [10, 5, 2, 1]]
    else:
        train, test = (
            LongTailedDataset(part, imbalance_factor=10)
            for part in parts(images)
        )
        counts = [[90, 41, 19, 9], [10, 4, 2, 1]]
    for part, expected in zip((train, test), counts, strict=True):
        assert collect_class_stats(part).image_count.tolist() == expected
    paths = [
        {part.get_data_info(i)['img_path'] for i in range(len(part))}
        for part in (train, test)
    ]
    assert not paths[0] & paths[1]


def test_wrappers_and_samplers_around_it(single):
    train, _ = parts(single)
    config = dict(type='mmlt.HoldOutDataset', dataset=single)
    repeated = MMPRETRAIN_DATASETS.build(
        dict(type='RepeatDataset', times=3, dataset=config)
    )
    assert len(repeated) == 3 * len(train)
    sampler = ClassFrequencySampler(train, 0, seed=0, num_samples=7000)
    drawn = LABELS[train.indices[list(sampler)]]
    counts = np.bincount(drawn, minlength=8)
    assert (counts[:7] > 850).all()
    assert counts[7] == 0


def test_lazy_init_reads_nothing(list_dataset, tmp_path):
    config = list_dataset(LABELS, lazy_init=True)
    text = (tmp_path / 'list.txt').read_text()
    (tmp_path / 'list.txt').unlink()
    part = HoldOutDataset(config, lazy_init=True)
    (tmp_path / 'list.txt').write_text(text)
    assert len(part) == len(LABELS) - sum(HELD_OUT)


@pytest.mark.parametrize(
    ('arguments', 'error', 'words'),
    [
        (
            dict(held_out='yes'),
            TypeError,
            "held_out .*got 'yes'",
        ),
        (dict(held_out=1), TypeError, 'held_out must be a bool, got 1'),
        (dict(share=0), ValueError, r'share must be in \(0, 1\).*got 0'),
        (dict(share=1.0), ValueError, r'share must be in \(0, 1\).*got 1.0'),
        (dict(share=float('nan')), ValueError, 'share .*got nan'),
        (dict(share=True), TypeError, 'share must be a number, got True'),
        (dict(share='10%'), TypeError, "share must be a number, got '10%'"),
        (dict(seed=-1), ValueError, 'seed .*-1'),
        (dict(seed=None), TypeError, 'seed .*None'),
    ],
)
def test_wrong_arguments_are_named_before_data_are_read(
    single, tmp_path, arguments, error, words
):
    (tmp_path / 'list.txt').unlink()
    with pytest.raises(error, match=words):
        HoldOutDataset(single, **arguments)


@pytest.mark.parametrize(
    'repeat',
    [
        dict(type='RepeatDataset', times=2),
        dict(type='ClassBalancedDataset', oversample_thr=0.5),
    ],
)
def test_repeated_images_are_refused(single, repeat):
    with pytest.raises(ValueError, match='put the repetition around'):
        HoldOutDataset(dict(repeat, dataset=single))


def test_data_that_nothing_can_be_held_out_of(list_dataset):
    with pytest.raises(ValueError, match='no class with two images'):
        HoldOutDataset(list_dataset([0, 1, 2]))
    with pytest.raises(ValueError, match='dataset is empty'):
        HoldOutDataset(list_dataset([0, 1], indices=[]))
    with pytest.raises(TypeError, match=r'dataset must be .* got list'):
        HoldOutDataset([0, 1])


def test_config_of_the_docs(tmp_path, monkeypatch):
    docs = Path(__file__).parents[2] / 'docs' / 'datasets.md'
    text = docs.read_text(encoding='utf-8').split('## Holding images out')[1]
    code = text.split('```python\n')[1].split('```')[0]
    for name, count in (('ant', 21), ('bee', 4)):
        folder = tmp_path / 'data' / 'mine' / 'train' / name
        folder.mkdir(parents=True)
        for index in range(count):
            (folder / f'{index}.png').touch()
    monkeypatch.chdir(tmp_path)
    config = {}
    exec(code, config)
    loaders = config['train_dataloader'], config['val_dataloader']
    for loader, counts in zip(loaders, ([19, 3], [2, 1]), strict=True):
        stats = collect_class_stats(DATASETS.build(loader['dataset']))
        assert stats.image_count.tolist() == counts
        assert stats.classes == ('ant', 'bee')
