"""tools/analysis_tools/paired_runs.py"""

import json
import math

import pytest

from mmlt.analysis.paired_runs import paired_table, values_by_seed

AP, RARE = 'lvis/bbox_AP', 'lvis/bbox_APr'


def train(folder, values):
    """The log of a training for each seed, whose last line counts."""
    for seed, value in enumerate(values):
        log = folder / str(seed) / '20260101_000000/vis_data/scalars.json'
        log.parent.mkdir(parents=True)
        lines = [{AP: 0.0, RARE: 0.0}, {AP: value, RARE: value / 2}]
        log.write_text('\n'.join(map(json.dumps, lines)))
    return folder


def evaluate(folder, value):
    """What is left of a test."""
    file = folder / '0/20260101_000000/20260101_000000.json'
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({AP: value, RARE: value / 2}))
    return folder


def test_rank_and_significance(tmp_path):
    base = train(tmp_path / 'ce', [1.0, 2.0, 3.0])
    better = train(tmp_path / 'bags', [2.0, 3.0, 5.0])
    tested = evaluate(tmp_path / 'norcal', 1.5)
    rows = paired_table([base, better, tested], base, [AP, RARE])
    assert [row['name'] for row in rows] == ['bags', 'ce', 'norcal']
    assert [row['rank'] for row in rows] == [1, 2, 3]
    first, second, third = rows
    assert first['mean'] == pytest.approx([10 / 3, 5 / 3])
    assert second['sd'] == pytest.approx([1.0, 0.5])
    # Differences 1, 1, 2: t = (4/3) / sqrt(1/9) = 4. With two degrees of
    # freedom, p = 1 - t / sqrt(t^2 + 2).
    assert first['gain'] == pytest.approx(4 / 3)
    assert first['p'] == pytest.approx(1 - 4 / math.sqrt(18))
    assert math.isnan(second['p'])
    # One value against three: 0.5, -0.5, -1.5.
    assert third['gain'] == pytest.approx(-0.5)
    t = 0.5 / math.sqrt(1 / 3)
    assert third['p'] == pytest.approx(1 - t / math.sqrt(t * t + 2))
    assert math.isnan(third['sd'][0])


def test_table(run_tool, tmp_path, capsys):
    base = train(tmp_path / 'ce', [1.0, 2.0])
    better = train(tmp_path / 'bags', [2.0, 3.5])
    run_tool(
        'analysis_tools/paired_runs.py', base, better, '--base', base,
        '--metrics', AP, RARE,
    )  # fmt: skip
    head, _, first, second = capsys.readouterr().out.splitlines()
    assert head == '| Rank | Method | AP | APr | Gain in AP | p |'
    assert first.startswith('| 1 | bags | 2.8 +- 1.1 | 1.4 +- 0.5 | +1.2 |')
    assert second.endswith('| +0.0 |  |')


def test_errors(tmp_path):
    base = train(tmp_path / 'ce', [1.0, 2.0])
    other = train(tmp_path / 'bags', [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match='run the same'):
        paired_table([other], base, [AP])
    with pytest.raises(FileNotFoundError, match='folder for each seed'):
        values_by_seed(tmp_path / 'absent', AP)
    with pytest.raises(ValueError, match='does not hold'):
        values_by_seed(base, 'accuracy')
    (tmp_path / 'empty/0').mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match='train first'):
        values_by_seed(tmp_path / 'empty', AP)
