"""The examples of docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

import mmlt

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(mmlt.__path__, 'mmlt.')
)
FINDER = doctest.DocTestFinder(exclude_empty=True)
EXAMPLES = {
    test.name: test
    for name in MODULES
    for test in FINDER.find(importlib.import_module(name))
    if test.examples
}


def test_examples_are_found():
    assert len(EXAMPLES) > 10


@pytest.mark.parametrize('name', sorted(EXAMPLES))
def test_example_runs(name):
    runner = doctest.DocTestRunner(
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    assert runner.run(EXAMPLES[name]).failed == 0
