import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/classifier_norms.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('classifier_norms', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COUNTS = [1000, 100, 10]


def save(path, weights, **meta):
    torch.save({'state_dict': weights, 'meta': meta}, path)
    return str(path)


def test_class_norms_by_hand(tool):
    # Three classes, then background: BAGS has more such rows.
    weight = torch.tensor([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0], [9.0, 9.0]])
    np.testing.assert_allclose(tool.class_norms(weight, 3), [5, 2, 1])
    with pytest.raises(ValueError, match=r'5 classes, but .* 4 rows'):
        tool.class_norms(weight, 5)


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


def test_every_stage_of_a_cascade(tool):
    state = {
        f'roi_head.bbox_head.{stage}.fc_cls.weight': torch.ones(4, 2)
        for stage in range(3)
    }
    found = tool.find_weights({'state_dict': state})
    assert list(found) == [name.removesuffix('.weight') for name in state]
    named = tool.find_weights(state, ['roi_head.bbox_head.1.fc_cls'])
    assert list(named) == ['roi_head.bbox_head.1.fc_cls']


def test_no_classifier(tool):
    state = {'layer.weight': torch.ones(4, 2)}
    with pytest.raises(ValueError, match=r'--layers, out of .*layer\.weight'):
        tool.find_weights(state)
    with pytest.raises(ValueError, match=r'head\.weight'):
        tool.find_weights(state, ['head'])


def test_unreadable_checkpoint(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match='checkpoint: no file'):
        tool.load_tensors(str(tmp_path / 'none.pth'))
    path = tmp_path / 'broken.pth'
    path.write_bytes(b'no checkpoint')
    with pytest.raises(ValueError, match='cannot be read'):
        tool.load_tensors(str(path))


@pytest.mark.parametrize(
    ('options', 'match'),
    [([], 'no class statistics'), (['--names', 'a', 'b'], '1 different')],
)
def test_bad_options(tool, tmp_path, capsys, options, match):
    path = save(tmp_path / 'x.pth', {'head.fc.weight': torch.ones(3, 2)})
    with pytest.raises(SystemExit):
        tool.main([path, *options])
    assert match in capsys.readouterr().err
