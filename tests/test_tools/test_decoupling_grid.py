"""tools/analysis_tools/decoupling_grid.py."""

import json


def test_tool_draws_the_grid(tmp_path, run_tool, capsys):
    for features in ('ce', 'rw', 'rs'):
        for classifier in ('ce', 'rw', 'rs'):
            folder = tmp_path / f'{features}-{classifier}' / 'time/vis_data'
            folder.mkdir(parents=True)
            line = json.dumps({'accuracy/top1': 60.0})
            (folder / 'scalars.json').write_text(line + '\n')
    out = tmp_path / 'grid.png'
    run_tool(
        'analysis_tools/decoupling_grid.py',
        f'{tmp_path}/{{features}}-{{classifier}}',
        *('--metric', 'accuracy/top1', '--out', out),
    )
    assert out.read_bytes().startswith(b'\x89PNG')
    printed = capsys.readouterr().out
    assert 'rw features, rs classifier: error 40.00 % of 1 runs' in printed
