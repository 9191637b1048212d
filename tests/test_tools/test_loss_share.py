"""The tool that draws what sizes have of the loss."""

import json

import cv2
import pytest

TOOL = 'analysis_tools/loss_share.py'


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / 'faster' / '20260101'
    folder.mkdir(parents=True)
    lines = [dict(bounds=[1024, 9216])]
    for step in range(8):
        lines.append(dict(iter=step + 1, epoch=1, box=[step, 7, 1]))
    text = '\n'.join(map(json.dumps, lines))
    (folder / 'loss_shares.jsonl').write_text(text)
    return tmp_path / 'faster'


def test_tool(run, tmp_path, run_tool, capsys):
    figure, table = tmp_path / 'new' / 'x.png', tmp_path / 'x.json'
    run_tool(TOOL, run, '--out', figure, '--json', table)
    assert cv2.imread(str(figure)) is not None
    small = json.loads(table.read_text())['faster'][0]
    assert small['size'] == 'small'
    assert small['below'] == 1 / 8
    printed = capsys.readouterr().out
    assert '| faster | small  | 27.5% |  30.3% |     12.5% |' in printed


def test_names(run, run_tool, capsys, tmp_path):
    out = ('--out', tmp_path / 'x.png')
    run_tool(TOOL, run, run, '--names', 'one', 'two', *out)
    assert '| two ' in capsys.readouterr().out
    for options in ([run], [run, '--names', 'a'], [run, '--names', 'a', 'a']):
        with pytest.raises(SystemExit):
            run_tool(TOOL, run, *options, *out)
