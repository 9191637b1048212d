"""How the tests get hold of the scripts in tools/."""

import importlib.util
import runpy
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture(scope='session')
def load_tool():
    """Import a script, named by its path below tools/, as a module."""

    def load(name):
        path = TOOLS / name
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        # As for a script that is run, so that it finds what lies beside it.
        sys.path.insert(0, str(path.parent))
        try:
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(str(path.parent))
        return module

    return load


@pytest.fixture
def run_tool(monkeypatch):
    """Run a script, named by its path below tools/, with its arguments."""

    def run(name, *arguments):
        path = TOOLS / name
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        monkeypatch.syspath_prepend(path.parent)
        runpy.run_path(str(path), run_name='__main__')

    return run
