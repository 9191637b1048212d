import json

import pytest

from mmlt.analysis.decoupling_grid import draw_grid, final_values, grid

METRIC = 'accuracy/balanced'


def write_log(folder, *values, metric=METRIC, began='20260101_000000'):
    path = folder / began / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    lines = [{'loss': 1.0, 'step': 1}, *({metric: value} for value in values)]
    path.write_text('\n'.join(map(json.dumps, lines)) + '\n')


def test_last_validation_of_each_run(tmp_path):
    write_log(tmp_path / '0', 10.0, 60.0)
    write_log(tmp_path / '1', 70.0)
    # Resumed: what was begun later counts.
    write_log(tmp_path / '1', 75.0, began='20260102_000000')
    assert final_values(tmp_path, METRIC) == [60.0, 75.0]
    assert final_values(tmp_path / '0', METRIC) == [60.0]


def test_runs_that_are_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='no run has left'):
        final_values(tmp_path / 'none', METRIC)
    write_log(tmp_path / 'new')
    with pytest.raises(
        ValueError, match=r"not hold 'accuracy/balanced'.*loss"
    ):
        final_values(tmp_path, METRIC)


def test_grid_of_pairs(tmp_path, figures):
    for row, features in enumerate(('ce', 'rw', 'rs')):
        for column, classifier in enumerate(('ce', 'rw', 'rs')):
            folder = tmp_path / f'grid-{features}-{classifier}_x'
            write_log(folder / '0', 100 - (10 * row + column))
            write_log(folder / '1', 100 - (10 * row + column + 2))
    errors = grid(f'{tmp_path}/grid-{{features}}-{{classifier}}_x')
    assert [[runs[0] for runs in row] for row in errors] == [
        [0, 1, 2],
        [10, 11, 12],
        [20, 21, 22],
    ]
    out = tmp_path / 'grid.png'
    draw_grid(out, errors, title='any')
    assert out.read_bytes().startswith(b'\x89PNG')
    (figure,) = figures
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[0] == '1.0\n± 1.4'
    assert texts[5] == '13.0\n± 1.4'
    draw_grid(out, [[[1.0]]], names=['ce'])
    assert figures[1].axes[0].texts[0].get_text() == '1.0'


@pytest.mark.parametrize('pattern', ['a', 'a-{features}', '{classifier}'])
def test_pattern(pattern):
    with pytest.raises(ValueError, match=r'pattern: .* lacks {'):
        grid(pattern)
