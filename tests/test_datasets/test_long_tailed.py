import json
import math
import multiprocessing
import pickle
from decimal import Decimal, getcontext

import numpy as np
import pytest
import torch.distributed
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmpretrain.registry import DATASETS as MMPRETRAIN_DATASETS
from torch.utils.data import DataLoader

from mmlt.class_stats import collect_class_stats
from mmlt.datasets import LongTailedDataset
from mmlt.datasets.long_tailed import exponential_counts, step_counts
from mmlt.registry import DATASETS

# 50 images of each of 4 classes, mixed
LABELS = np.random.default_rng(3).permutation(np.repeat(np.arange(4), 50))


@pytest.fixture
def dataset(list_dataset):
    return MMPRETRAIN_DATASETS.build(list_dataset(LABELS))


def kept(dataset):
    return dataset.indices.tolist()


def test_exponential_counts_of_fashion_mnist():
    counts = exponential_counts(6000, 100, 10)
    assert counts.dtype == np.int64
    assert counts.tolist() == [
        6000, 3596, 2156, 1292, 774, 464, 278, 166, 100, 60
    ]  # fmt: skip
    assert counts.sum() == 14886


@pytest.mark.parametrize(
    ('max_count', 'num_classes', 'imbalance_factor', 'total'),
    [
        (5000, 10, 10, 20431),
        (5000, 10, 50, 13996),
        (5000, 10, 100, 12406),
        (5000, 10, 200, 11203),
        (500, 100, 10, 19573),
        (500, 100, 50, 12608),
        (500, 100, 100, 10847),
    ],
)
def test_exponential_counts_of_cifar(
    max_count, num_classes, imbalance_factor, total
):
    counts = exponential_counts(max_count, imbalance_factor, num_classes)
    assert counts.sum() == total


@pytest.mark.parametrize('num_classes', [2, 3, 10, 97, 1000])
@pytest.mark.parametrize('imbalance_factor', [1, 3, 10, 200, 256])
def test_exponential_counts_equal_exact_arithmetic(
    num_classes, imbalance_factor
):
    getcontext().prec = 40
    max_count = 7 * imbalance_factor
    expected = []
    for k in range(num_classes):
        power = Decimal(-k) / Decimal(num_classes - 1)
        count = max_count * Decimal(imbalance_factor) ** power
        expected.append(math.floor(count + Decimal('1e-20')))
    assert expected[-1] == 7
    counts = exponential_counts(max_count, imbalance_factor, num_classes)
    assert counts.tolist() == expected


def test_whole_counts_survive_the_power():
    # In floats 32 * 32 ** -0.4 is 7.999999999999999.
    assert exponential_counts(32, 32, 6).tolist() == [32, 16, 8, 4, 2, 1]
    assert exponential_counts(1215, 243, 6).tolist() == [
        1215, 405, 135, 45, 15, 5
    ]  # fmt: skip


def test_step_counts():
    assert step_counts(50, 10, 4).tolist() == [50, 50, 5, 5]
    assert step_counts(50, 10, 5).tolist() == [50, 50, 50, 5, 5]
    assert step_counts(49, 10, 2).tolist() == [49, 4]


def test_one_class_keeps_max_count():
    assert exponential_counts(50, 10, 1).tolist() == [50]
    assert step_counts(50, 10, 1).tolist() == [50]


@pytest.mark.parametrize(
    ('arguments', 'counts'),
    [
        (dict(imbalance_factor=8), [50, 25, 12, 6]),
        (dict(imbalance_factor=1), [50, 50, 50, 50]),
        (dict(imbalance_factor=10, profile='step'), [50, 50, 5, 5]),
        (dict(imbalance_factor=8, max_count=40), [40, 20, 10, 5]),
        (dict(counts=[3, 0, 50, 1]), [3, 0, 50, 1]),
        (dict(counts=np.array([1, 2, 3, 4])), [1, 2, 3, 4]),
    ],
)
def test_keeps_the_counts(dataset, arguments, counts):
    long_tailed = LongTailedDataset(dataset, **arguments)
    labels = long_tailed.get_gt_labels()
    assert labels.dtype == np.int64
    assert np.bincount(labels, minlength=4).tolist() == counts
    assert len(long_tailed) == sum(counts) == len(labels)
    indices = long_tailed.indices
    assert np.all(np.diff(indices) > 0)
    np.testing.assert_array_equal(labels, LABELS[indices])


def test_items_are_those_of_the_wrapped_dataset(dataset):
    long_tailed = LongTailedDataset(dataset, imbalance_factor=10)
    assert long_tailed.dataset is dataset
    for position in (0, 7, len(long_tailed) - 1, -1):
        index = int(long_tailed.indices[position])
        assert long_tailed[position] == dataset[index]
        info = long_tailed.get_data_info(position)
        assert info == dataset.get_data_info(index)
        assert info['img_path'].endswith(f'/{index}.png')
        assert long_tailed.get_cat_ids(position) == dataset.get_cat_ids(index)
    with pytest.raises(IndexError):
        long_tailed[len(long_tailed)]


def test_seed_decides(dataset):
    np.random.seed(1)  # noqa: NPY002
    first = kept(LongTailedDataset(dataset, imbalance_factor=10, seed=1))
    np.random.seed(2)  # noqa: NPY002
    again = kept(LongTailedDataset(dataset, imbalance_factor=10, seed=1))
    other = kept(LongTailedDataset(dataset, imbalance_factor=10, seed=2))
    assert first == again
    assert first != other


def test_global_random_state_is_left_alone(dataset):
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    LongTailedDataset(dataset, imbalance_factor=10)
    assert np.random.random() == expected  # noqa: NPY002


def test_a_smaller_subset_is_part_of_a_larger_one(dataset):
    subsets = [
        set(kept(LongTailedDataset(dataset, imbalance_factor=factor)))
        for factor in (50, 10, 2)
    ]
    assert subsets[0] < subsets[1] < subsets[2]


def test_every_image_can_be_chosen(dataset):
    draws = [
        kept(LongTailedDataset(dataset, counts=[25] * 4, seed=seed))
        for seed in range(40)
    ]
    # 40 draws of one half: 20 expected, sd 3.2
    times = np.bincount(np.concatenate(draws), minlength=len(LABELS))
    assert times.min() >= 5
    assert times.max() <= 35


def _gather_indices(rank, config, rendezvous, queue):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{rendezvous}', rank=rank, world_size=2
    )
    np.random.seed(rank)  # noqa: NPY002
    gathered = [None, None]
    torch.distributed.all_gather_object(gathered, kept(DATASETS.build(config)))
    if rank == 0:
        queue.put(gathered)
    torch.distributed.destroy_process_group()


def test_two_ranks_keep_the_same_images(list_dataset, tmp_path):
    config = dict(
        type='mmlt.LongTailedDataset',
        imbalance_factor=10,
        dataset=list_dataset(LABELS),
    )
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    arguments = (config, tmp_path / 'rendezvous', queue)
    ranks = [
        context.Process(target=_gather_indices, args=(rank, *arguments))
        for rank in range(2)
    ]
    for process in ranks:
        process.start()
    first, second = queue.get(timeout=60)
    for process in ranks:
        process.join(timeout=60)
        assert process.exitcode == 0
    assert first == second == kept(DATASETS.build(config))


@pytest.mark.parametrize('serialize_data', [True, False])
@pytest.mark.parametrize('inner_lazy', [True, False])
@pytest.mark.parametrize('lazy_init', [True, False])
def test_lazy_and_serialised_alike(
    dataset, list_dataset, serialize_data, inner_lazy, lazy_init
):
    expected = LongTailedDataset(dataset, imbalance_factor=10)
    config = dict(
        type='mmlt.LongTailedDataset',
        imbalance_factor=10,
        lazy_init=lazy_init,
        dataset=list_dataset(
            LABELS, serialize_data=serialize_data, lazy_init=inner_lazy
        ),
    )
    long_tailed = DATASETS.build(config)
    assert long_tailed._fully_initialized is not lazy_init
    assert long_tailed[3] == expected[3]
    assert kept(long_tailed) == kept(expected)


def test_lazy_init_reads_nothing(list_dataset, tmp_path):
    config = list_dataset(LABELS, lazy_init=True)
    (tmp_path / 'list.txt').unlink()
    long_tailed = LongTailedDataset(
        config, imbalance_factor=10, lazy_init=True
    )
    with pytest.raises(FileNotFoundError):
        long_tailed.full_init()


def test_lazy_dataset_is_counted_through(list_dataset):
    config = list_dataset(LABELS, lazy_init=True)
    long_tailed = LongTailedDataset(config, imbalance_factor=8, lazy_init=True)
    stats = collect_class_stats(long_tailed)
    assert stats.image_count.tolist() == [50, 25, 12, 6]
    assert stats.num_images == 93


def test_metainfo_is_that_of_the_wrapped_dataset(list_dataset):
    names = ('ant', 'bee', 'cat', 'dog')
    config = list_dataset(LABELS, metainfo=dict(classes=names))
    long_tailed = LongTailedDataset(config, imbalance_factor=10)
    assert long_tailed.metainfo == long_tailed.dataset.metainfo
    assert long_tailed.metainfo['classes'] == names
    assert collect_class_stats(long_tailed).classes == names


def test_folder_per_class_has_its_names_after_a_lazy_init(tmp_path):
    for name in ('ant', 'bee'):
        (tmp_path / name).mkdir()
        for index in range(10):
            (tmp_path / name / f'{index}.png').touch()
    config = dict(
        type='CustomDataset', data_prefix=str(tmp_path), lazy_init=True
    )
    long_tailed = LongTailedDataset(
        config, imbalance_factor=10, lazy_init=True
    )
    assert len(long_tailed) == 11
    assert long_tailed.metainfo['classes'] == ('ant', 'bee')


def test_class_without_an_image_at_the_end_counts(list_dataset):
    config = list_dataset([0, 0, 1], metainfo=dict(classes=('a', 'b', 'c')))
    long_tailed = LongTailedDataset(config, counts=[2, 1, 0])
    assert len(long_tailed) == 3


@pytest.mark.parametrize('serialize_data', [True, False])
def test_pickle_and_loader_workers(list_dataset, serialize_data):
    config = list_dataset(LABELS, serialize_data=serialize_data)
    long_tailed = LongTailedDataset(config, imbalance_factor=10)
    copy = pickle.loads(pickle.dumps(long_tailed))
    assert kept(copy) == kept(long_tailed)
    assert copy[5] == long_tailed[5]
    loader = DataLoader(
        long_tailed, batch_size=16, num_workers=2, collate_fn=list
    )
    items = [item for batch in loader for item in batch]
    assert items == [long_tailed[i] for i in range(len(long_tailed))]


def test_indices_of_the_wrapped_dataset(list_dataset):
    indices = np.flatnonzero(np.arange(len(LABELS)) % 3)
    config = list_dataset(LABELS, indices=indices.tolist())
    long_tailed = LongTailedDataset(config, counts=[9, 6, 3, 1])
    labels = LABELS[indices][long_tailed.indices]
    assert np.bincount(labels).tolist() == [9, 6, 3, 1]
    np.testing.assert_array_equal(labels, long_tailed.get_gt_labels())


@pytest.mark.parametrize('as_config', [True, False])
@pytest.mark.parametrize(
    'wrap',
    [
        lambda inner: dict(type='RepeatDataset', times=2, dataset=inner),
        lambda inner: dict(type='ConcatDataset', datasets=[inner, inner]),
        lambda inner: dict(
            type='ClassBalancedDataset', oversample_thr=1e-3, dataset=inner
        ),
        lambda inner: dict(type='mmpretrain.KFoldDataset', dataset=inner),
        lambda inner: dict(
            type='mmlt.LongTailedDataset', dataset=inner, imbalance_factor=2
        ),
    ],
    ids=['repeat', 'concat', 'class_balanced', 'k_fold', 'long_tailed'],
)
def test_wraps_wrappers(list_dataset, wrap, as_config):
    inner = wrap(list_dataset(LABELS))
    if not as_config:
        inner = MMPRETRAIN_DATASETS.build(inner)
    long_tailed = LongTailedDataset(inner, counts=[20, 9, 4, 1])
    labels = [
        int(long_tailed.get_data_info(i)['gt_label'])
        for i in range(len(long_tailed))
    ]
    assert np.bincount(labels).tolist() == [20, 9, 4, 1]
    assert labels == long_tailed.get_gt_labels().tolist()
    assert [long_tailed.get_cat_ids(i)[0] for i in range(34)] == labels


def test_is_wrapped_by_wrappers(list_dataset):
    config = dict(
        type='mmlt.LongTailedDataset',
        imbalance_factor=8,
        dataset=list_dataset(LABELS),
    )
    repeated = RepeatDataset(config, times=3)
    assert len(repeated) == 3 * 93
    joined = ConcatDataset([config, config])
    assert joined[93 + 5]['img_path'] == joined[5]['img_path']
    assert collect_class_stats(joined).image_count.tolist() == [
        100, 50, 24, 12
    ]  # fmt: skip


def test_wrapped_type_needs_no_scope(list_dataset):
    config = list_dataset(LABELS)
    config['type'] = 'CustomDataset'
    assert len(LongTailedDataset(config, counts=[1, 1, 1, 1])) == 4


@pytest.mark.parametrize(
    ('arguments', 'error', 'words'),
    [
        (dict(imbalance_factor=0.5), ValueError, 'imbalance_factor .*0.5'),
        (dict(imbalance_factor=math.nan), ValueError, 'finite.*nan'),
        (dict(imbalance_factor=math.inf), ValueError, 'finite.*inf'),
        (dict(imbalance_factor='ten'), TypeError, "imbalance_factor .*'ten'"),
        (dict(imbalance_factor=True), TypeError, 'imbalance_factor .*True'),
        (dict(), ValueError, 'either imbalance_factor or counts'),
        (
            dict(imbalance_factor=10, counts=[1, 1, 1, 1]),
            ValueError,
            'either imbalance_factor or counts',
        ),
        (
            dict(imbalance_factor=10, profile='linear'),
            ValueError,
            r"profile .*\['exponential', 'step'\], got 'linear'",
        ),
        (
            dict(imbalance_factor=10, max_count=0),
            ValueError,
            'max_count .*>= 1, got 0',
        ),
        (
            dict(imbalance_factor=10, max_count=2.5),
            TypeError,
            'max_count .*2.5',
        ),
        (
            dict(counts=[1, 1, 1, 1], max_count=3),
            ValueError,
            'max_count=3 belongs to imbalance_factor',
        ),
        (dict(imbalance_factor=10, seed=-1), ValueError, 'seed .*-1'),
        (dict(imbalance_factor=10, seed=None), TypeError, 'seed .*None'),
        (dict(counts=[1, -1, 1, 1]), ValueError, r'counts.*\[1\] is -1'),
        (dict(counts=[1, 1.5, 1, 1]), ValueError, r'counts.*\[1\] is 1.5'),
        (dict(counts=[0, 0, 0, 0]), ValueError, 'counts.*zero'),
        (dict(counts=7), ValueError, 'counts.*7'),
    ],
)
def test_wrong_arguments_are_named_before_data_are_read(
    list_dataset, tmp_path, arguments, error, words
):
    config = list_dataset(LABELS)
    (tmp_path / 'list.txt').unlink()
    with pytest.raises(error, match=words):
        LongTailedDataset(config, **arguments)


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (dict(counts=[1, 1, 1]), 'counts has 3 entries and dataset 4'),
        (dict(counts=[1, 51, 52, 1]), 'bee has 50 images and 51 .*2 such'),
        (
            dict(imbalance_factor=2, max_count=60),
            'ant has 50 images and 60 are asked for.*max_count',
        ),
        (
            dict(imbalance_factor=51),
            'imbalance_factor=51 leaves class dog no image of max_count=50',
        ),
    ],
)
def test_counts_that_the_data_cannot_give(list_dataset, arguments, words):
    names = ('ant', 'bee', 'cat', 'dog')
    config = list_dataset(LABELS, metainfo=dict(classes=names))
    with pytest.raises(ValueError, match=words):
        LongTailedDataset(config, **arguments)


def test_empty_class_has_no_default_max_count(list_dataset):
    config = list_dataset([0, 0, 2])
    with pytest.raises(ValueError, match='no image of class 1'):
        LongTailedDataset(config, imbalance_factor=2)


def test_label_beyond_the_classes(list_dataset):
    config = list_dataset([0, 1, 2], metainfo=dict(classes=('a', 'b')))
    with pytest.raises(ValueError, match='label 2 but only 2 classes'):
        LongTailedDataset(config, counts=[1, 1])


@pytest.mark.parametrize('wrapped', [None, [1, 2], 'CIFAR10'])
def test_dataset_of_a_wrong_type(wrapped):
    with pytest.raises(TypeError, match=f'got {type(wrapped).__name__}'):
        LongTailedDataset(wrapped, imbalance_factor=10)


def test_multi_label_data_are_refused(tmp_path):
    content = {
        'metainfo': {'classes': ['a', 'b']},
        'data_list': [
            {'img_path': '0.png', 'gt_label': [0]},
            {'img_path': '1.png', 'gt_label': [0, 1]},
        ],
    }
    (tmp_path / 'list.json').write_text(json.dumps(content))
    config = dict(
        type='MultiLabelDataset',
        data_root=str(tmp_path),
        ann_file='list.json',
    )
    with pytest.raises(
        ValueError, match=r'image 1 has 2 labels.*single-label'
    ):
        LongTailedDataset(config, imbalance_factor=1)


def test_empty_dataset(list_dataset):
    config = list_dataset([0, 1], indices=[])
    with pytest.raises(ValueError, match='dataset is empty'):
        LongTailedDataset(config, imbalance_factor=1)
