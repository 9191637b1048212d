"""tools/analysis_tools/classifier_norms.py on small checkpoints."""

import pytest
import torch

from mmlt.class_stats import ClassStats

COUNTS = [1000, 100, 10]


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/classifier_norms.py')


def save(path, weights, **meta):
    torch.save({'state_dict': weights, 'meta': meta}, path)
    return str(path)


def test_figure_of_two_checkpoints(tool, tmp_path, capsys):
    weight = torch.diag(torch.tensor([3.0, 2.0, 1.0, 7.0]))
    other = {'backbone.conv.weight': torch.ones(2, 2, 3, 3)}
    paths = [
        save(
            tmp_path / 'detector.pth',
            {'roi_head.bbox_head.fc_cls.weight': weight, **other},
            class_stats={'image_count': COUNTS},
        ),
        save(tmp_path / 'classifier.pth', {'head.fc.weight': weight[:3]}),
    ]
    out = tmp_path / 'figures' / 'norms.png'
    tool.main([*paths, '--names', 'a', 'b', '--out', str(out)])
    assert out.stat().st_size > 5000
    text = capsys.readouterr().out
    for name in 'ab':
        assert f'{name}: norm 2.000 +- 0.816, correlation with log' in text
    assert text.count('correlation with log count 1.00') == 2


def test_names_of_the_classes_are_compared(tool, tmp_path, capsys):
    weight = torch.diag(torch.tensor([3.0, 2.0, 1.0]))

    def norms(stats, *orders):
        ClassStats.single_label(*stats).to_json(tmp_path / 'stats.json')
        paths = [
            save(
                tmp_path / f'{k}.pth',
                {'head.fc.weight': weight},
                dataset_meta={'classes': order},
            )
            for k, order in enumerate(orders)
        ]
        options = '--class-stats', str(tmp_path / 'stats.json')
        tool.main([*paths, *options, '--out', str(tmp_path / 'norms.png')])
        return capsys.readouterr().out

    names = ('ant', 'bee', 'cat')
    assert 'count 1.00' in norms((COUNTS, names), names)
    shuffled = COUNTS[::-1], names[::-1]
    assert 'count 1.00' in norms(shuffled, names)
    with pytest.raises(ValueError, match="class 0 is 'dog' against 'ant'"):
        norms((COUNTS, ('dog', 'bee', 'cat')), names)
    with pytest.raises(ValueError, match=r'1\.pth has other .*0\.pth'):
        norms((COUNTS, names), names, names[::-1])


def test_unreadable_checkpoint(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match='checkpoint: no file'):
        tool.main([str(tmp_path / 'none.pth')])
    path = tmp_path / 'broken.pth'
    path.write_bytes(b'no checkpoint')
    with pytest.raises(ValueError, match='cannot be read'):
        tool.main([str(path)])


@pytest.mark.parametrize(
    ('options', 'match'),
    [([], 'no class statistics'), (['--names', 'a', 'b'], '1 different')],
)
def test_bad_options(tool, tmp_path, capsys, options, match):
    path = save(tmp_path / 'x.pth', {'head.fc.weight': torch.ones(3, 2)})
    with pytest.raises(SystemExit):
        tool.main([path, *options])
    assert match in capsys.readouterr().err
