import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import find_class_names, load_tensors


def test_what_mmengine_saves_is_read(tmp_path):
    content = dict(history=HistoryBuffer([1.0, 3.0], [1, 1]), w=torch.ones(2))
    torch.save(content, tmp_path / 'a.pth')
    loaded = load_tensors(tmp_path / 'a.pth')
    assert loaded['history'].mean() == 2
    assert torch.equal(loaded['w'], content['w'])


def test_code_is_not_executed(tmp_path):
    class Attack:
        def __reduce__(self):
            return getattr, (HistoryBuffer, '__init__')

    for content in (Attack(), pytest.raises):
        torch.save(dict(x=content), tmp_path / 'a.pth')
        with pytest.raises(ValueError, match=r'a\.pth. cannot be read'):
            load_tensors(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    'data', [b'', b'text', b'1.', b'\x80\x02}q\x00', b'h']
)
def test_damaged_files(tmp_path, data):
    (tmp_path / 'a.pth').write_bytes(data)
    with pytest.raises(ValueError, match=r'logits: .*a\.pth'):
        load_tensors(tmp_path / 'a.pth', 'logits')


def test_other_contents(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'checkpoint: no file'):
        load_tensors(tmp_path / 'a.pth')
    torch.save([1], tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='holds a list, expected a dict'):
        load_tensors(tmp_path / 'a.pth')


def test_from_checkpoint():
    assert ClassStats.from_checkpoint({}) is None
    empty = torch.zeros(0, dtype=torch.long)
    buffers = {
        'head.loss.image_count': torch.tensor([3, 1]),
        'head.loss.instance_count': torch.tensor([4, 1]),
        'head.loss.num_images': torch.tensor(3),
    }
    stats = ClassStats([3, 1], [4, 1], 3)
    assert ClassStats.from_checkpoint(dict(state_dict=buffers)) == stats
    buffers['head.loss.instance_count'] = empty
    found = ClassStats.from_checkpoint(dict(state_dict=buffers))
    assert found == ClassStats([3, 1], None, 3)
    buffers['head.loss.image_count'] = empty
    assert ClassStats.from_checkpoint(dict(state_dict=buffers)) is None
    meta = dict(class_stats=stats.to_dict())
    assert ClassStats.from_checkpoint(dict(meta=meta, state_dict={})) == stats


BUFFERS = {
    'head.image_count': torch.tensor([3, 1]),
    'head.instance_count': torch.tensor([4, 1]),
    'head.num_images': torch.tensor(3),
}


@pytest.mark.parametrize(
    ('checkpoint', 'words'),
    [
        ({'meta': {'class_stats': 'abc'}}, r"meta\['class_stats'\] .*'abc'"),
        ({'meta': {'class_stats': [3, 1]}}, r"meta\['class_stats'\]"),
        ({'meta': {'class_stats': {'image_count': None}}}, '.*got None'),
        (
            {'meta': {'class_stats': {'image_count': [3], 'classes': 3}}},
            r"meta\['class_stats'\]",
        ),
        (
            {'state_dict': BUFFERS | {'head.num_images': torch.ones(2)}},
            r"state_dict\['head.image_count'\] .*num_images",
        ),
        (
            {'state_dict': BUFFERS | {'head.image_count': torch.ones(2, 2)}},
            r"state_dict\['head.image_count'\] .*list of counts",
        ),
        (
            {'state_dict': BUFFERS | {'head.image_count': -torch.ones(2)}},
            r"state_dict\['head.image_count'\] .*-1",
        ),
    ],
)
def test_damaged_statistics_name_the_entry(tmp_path, checkpoint, words):
    words = f'checkpoint: {words}'
    with pytest.raises(ValueError, match=words):
        ClassStats.from_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=rf"class_stats: '.*a\.pth': {words}"):
        ClassStats.from_any(tmp_path / 'a.pth')


def test_entries_of_others_are_no_statistics():
    state = BUFFERS | {'head.num_images': 3}
    assert ClassStats.from_checkpoint(dict(state_dict=state)) is None
    assert ClassStats.from_checkpoint(dict(meta=None)) is None


def test_find_class_names():
    names = ('ant', 'bee')
    stats = dict(class_stats=dict(image_count=[3, 1], classes=('bee', 'ant')))
    data = dict(dataset_meta=dict(classes=['ant', 'bee']))
    assert find_class_names(dict(meta=stats | data)) == names
    assert find_class_names(dict(meta=stats)) == names[::-1]
    for meta in (None, {}, dict(dataset_meta=()), dict(class_stats='abc')):
        assert find_class_names(dict(meta=meta)) is None


def test_class_stats_of_a_file(tmp_path):
    stats = ClassStats([3, 1], num_images=3)
    stats.to_json(tmp_path / 'stats.json')
    assert ClassStats.from_any(tmp_path / 'stats.json') == stats
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(meta=dict(class_stats=stats.to_dict())), path)
    assert ClassStats.from_any(path) == stats
    torch.save(dict(meta={}), path)
    with pytest.raises(ValueError, match=r'class_stats.*holds none.*JSON'):
        ClassStats.from_any(path)


@pytest.mark.parametrize(
    ('name', 'dataset'),
    [('lvis_v1', 'LVISV1Dataset'), ('lvis_v0.5', 'LVISV05Dataset')],
)
def test_shipped_names_are_those_of_the_data_set(name, dataset):
    """The annotation file misspells one; ``aligned_to`` raises for others."""
    datasets = pytest.importorskip('mmdet.datasets')
    classes = getattr(datasets, dataset).METAINFO
    stats = ClassStats.from_any(name)
    assert stats.aligned_to(classes['classes']) is stats
