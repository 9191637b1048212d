"""tools/model_converters/import_checkpoint.py."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import write_json

TOOL = 'model_converters/import_checkpoint.py'
MODEL = dict(
    type='ImageClassifier',
    backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=16),
)


@pytest.fixture
def tool(load_tool):
    return load_tool(TOOL)


def network():
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(MODEL)
    model.init_weights()
    return model.eval()


@pytest.fixture
def theirs(tmp_path):
    """As a DataParallel saves it, without a bias."""
    state = {
        f'module.{name}'.replace('head.fc', 'classifier'): value
        for name, value in network().state_dict().items()
        if name != 'head.fc.bias'
    }
    torch.save({'state_dict': state, 'epoch': 3}, tmp_path / 'theirs.pth')
    Config(dict(model=MODEL, default_scope='mmpretrain')).dump(
        tmp_path / 'config.py'
    )
    return tmp_path


def run(tool, folder, *options):
    files = [folder / name for name in ('config.py', 'theirs.pth', 'out.pth')]
    tool.main([*map(str, files), *options])
    return torch.load(folder / 'out.pth', weights_only=True)


def test_only_names_change(tool, theirs):
    stats = theirs / 'stats.json'
    write_json(stats, ClassStats.single_label([5, 3, 2]).to_dict())
    checkpoint = run(
        tool, theirs,
        *('--rename', 'classifier=head.fc', '--zeros', 'head.fc.bias'),
        *('--class-stats', str(stats)),
    )  # fmt: skip
    expected = network().state_dict()
    assert [*checkpoint['state_dict']] == [*expected]
    for name, value in checkpoint['state_dict'].items():
        assert value.equal(expected[name]), name
    found = ClassStats.from_checkpoint(checkpoint)
    assert found.image_count.tolist() == [5, 3, 2]


def test_a_prefix_is_a_whole_part_of_a_name(tool):
    weights = {'fc.weight': torch.zeros(1), 'fc2.weight': torch.zeros(1)}
    assert [*tool.rename(weights, {'fc': 'a.b'})] == [
        'a.b.weight',
        'fc2.weight',
    ]
    with pytest.raises(ValueError, match='two weights one name'):
        tool.rename(weights, {'fc': 'fc2'})
    with pytest.raises(ValueError, match="begins with 'f'"):
        tool.rename(weights, {'f': 'a'})


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ((), r"lacks \['classifier.weight'\] of the file.*'head.fc.weight'"),
        (
            ('--rename', 'classifier=head.fc'),
            r"the file lacks \['head.fc.bias'\] of the model",
        ),
        (
            ('--rename', 'classifier=head.fc', '--zeros', 'head.bias'),
            r"zeros: \['head.bias'\] must be in the model",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit(tool, theirs, options, message):
    with pytest.raises(ValueError, match=message):
        run(tool, theirs, *options)
    assert not (theirs / 'out.pth').exists()


def test_shapes(tool):
    state = {'fc.weight': torch.zeros(3, 4)}
    with pytest.raises(ValueError, match=r'\(3, 5\), in the model \(3, 4\)'):
        tool.fit({'fc.weight': torch.zeros(3, 5)}, state)


def test_later_files_win(tool, theirs):
    """The network of the first stage with the classifier of the second."""
    first = network().state_dict()
    first['head.other'] = torch.zeros(1)
    torch.save(first, theirs / 'first.pth')
    weight = torch.randn(3, 16)
    torch.save(
        {'state_dict': {'head.fc.weight': weight}}, theirs / 'second.pth'
    )
    names = ('config.py', 'first.pth', 'second.pth', 'out.pth')
    files = [str(theirs / name) for name in names]
    with pytest.raises(ValueError, match=r"lacks \['head.other'\]"):
        tool.main(files)
    tool.main([*files, '--drop', 'head.other'])
    out = torch.load(theirs / 'out.pth', weights_only=True)['state_dict']
    assert out.pop('head.fc.weight').equal(weight)
    for name, value in out.items():
        assert value.equal(first[name]), name


def test_options(tool, capsys):
    with pytest.raises(SystemExit):
        tool.parse_args(['a', 'b', 'c', '--rename', 'classifier'])
    assert "expected OLD=NEW, got 'classifier'" in capsys.readouterr().err
