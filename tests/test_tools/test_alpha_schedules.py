"""tools/analysis_tools/alpha_schedules.py."""

import pytest


def test_tool_draws_all_schedules(tmp_path, run_tool):
    out = tmp_path / 'alpha.png'
    name = 'analysis_tools/alpha_schedules.py'
    run_tool(name, '--epochs', 5, '--out', out)
    assert out.read_bytes().startswith(b'\x89PNG')
    with pytest.raises(SystemExit):
        run_tool(name, '--epochs', 9, '--t-max', 5)
