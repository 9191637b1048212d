"""Imports go down the rooms only, as docs/architecture.md says."""

import ast
from pathlib import Path

import pytest

import mmlt

PACKAGE = Path(mmlt.__file__).parent
# A room may import from those before it, and from itself.
BELOW = {
    'version': (),
    'checks': (),
    'compat': (),
    'registry': ('compat',),
    'class_stats': ('registry', 'compat', 'checks'),
}
BELOW['datasets'] = BELOW['models'] = ('class_stats', *BELOW['class_stats'])
BELOW['engine'] = BELOW['evaluation'] = (
    'models', 'datasets', *BELOW['datasets']
)  # fmt: skip
BELOW['analysis'] = ('evaluation', 'engine', *BELOW['engine'])
FILES = sorted(
    path.relative_to(PACKAGE)
    for path in PACKAGE.rglob('*.py')
    if '.mim' not in path.parts and path.parent != PACKAGE
)


def imported_rooms(path, source):
    """Rooms of mmlt that a file imports from, in functions, too."""
    package = ['mmlt', *path.parent.parts]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ''
            if node.level:
                start = package[: len(package) - node.level + 1]
                base = '.'.join([*start, *filter(None, [base])])
            names = [f'{base}.{alias.name}' for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split('.')
            if parts[0] == 'mmlt':
                yield parts[1]


@pytest.mark.parametrize('path', FILES, ids=str)
def test_imports_go_down(path):
    room = path.parts[0]
    allowed = {room, *BELOW[room]}
    used = set(imported_rooms(path, (PACKAGE / path).read_text()))
    assert used <= allowed, f'{room} must not import {used - allowed}'


def test_a_climb_would_be_noticed():
    climb = 'from ...engine import hooks\nimport mmlt.analysis.tau_sweep'
    path = Path('models/losses/vs_loss.py')
    assert set(imported_rooms(path, climb)) == {'engine', 'analysis'}
