"""tools/analysis_tools/confusion_matrix.py on four images."""

import json

import pytest
import torch

CLASSES = ['ant', 'bee', 'cat']


@pytest.fixture
def files(tmp_path):
    """Logits of four images that all look like ants, and counts."""
    path, stats = tmp_path / 'test.pt', tmp_path / 'stats.json'
    stats.write_text(
        json.dumps(dict(image_count=[200, 30, 4], classes=CLASSES))
    )

    def write(labels, columns=3, **changes):
        logits = torch.tensor([[3.0, 2, 1]] * 4)[:, :columns]
        content = dict(logits=logits, labels=torch.tensor(labels))
        torch.save({**content, 'classes': CLASSES, **changes}, path)
        return path, '--class-stats', stats

    return write


TOOL = 'analysis_tools/confusion_matrix.py'


@pytest.mark.parametrize(
    'labels',
    [[0, 0, 1, 2], [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]],
)
def test_groups_and_pairs(labels, files, run_tool, tmp_path, capsys):
    out = tmp_path / 'new' / 'confusion.png'
    run_tool(TOOL, *files(labels), '--out', out)
    words = ''.join(
        each if each.isalnum() or each in '.,' else ' '
        for each in capsys.readouterr().out
    ).split()
    text = ' '.join(words)
    assert 'many 100.0 0.0 0.0 0.0' in text
    assert 'few 0.0 100.0 0.0 0.0' in text
    assert 'bee 1 ant 100.0' in text
    assert out.stat().st_size > 5000


def test_what_does_not_fit(files, run_tool, tmp_path):
    labels = [0, 0, 1, 2]
    with pytest.raises(ValueError, match='other class names'):
        run_tool(TOOL, *files(labels, classes=['ant', 'bee', 'cow']))
    with pytest.raises(ValueError, match='has 2 classes, but'):
        run_tool(TOOL, *files(labels, columns=2, classes=None))
    path, *options = files(labels)
    torch.save(dict(labels=torch.tensor(labels)), path)
    with pytest.raises(ValueError, match='holds none of images'):
        run_tool(TOOL, path, *options)
