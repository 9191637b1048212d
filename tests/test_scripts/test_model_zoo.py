"""Results stand in metafiles, and in READMEs as tables of them."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location(
    'model_zoo', ROOT / 'scripts' / 'model_zoo.py'
)
model_zoo = importlib.util.module_from_spec(spec)
spec.loader.exec_module(model_zoo)

FAMILIES = model_zoo.read_families()
RESULTS = model_zoo.read_results(FAMILIES)


@pytest.mark.parametrize('folder', FAMILIES)
def test_tables_of_readmes_are_those_of_metafiles(folder):
    text = (ROOT / folder / 'README.md').read_text()
    assert model_zoo.fill(text, RESULTS) == text, (
        'run python scripts/model_zoo.py'
    )


@pytest.mark.parametrize('key', RESULTS)
def test_results_are_complete(key):
    result = RESULTS[key]
    assert {'Task', 'Dataset', 'Metrics'} <= set(result)
    assert set(result.get('SD', {})) <= set(result['Metrics'])
    assert ('SD' in result) == (result.get('Seeds', 1) > 1)


RESULT = dict(
    Dataset='Some', Seeds=3, Metrics=dict(AP=20.0, APr=1.25), SD=dict(AP=0.5)
)


def test_table():
    other = dict(Dataset='Some', Metrics=dict(AP=21.0))
    results = {('a_x', ''): RESULT, ('b_x', 'tau 2'): other}
    assert model_zoo.table('{}_x', 'a\nb, tau 2\n', results) == (
        '| Config, `..._x` | AP | APr |\n'
        '|-|-|-|\n'
        '| `a` | 20.0 +- 0.5 | 1.2 |\n'
        '| `b`, tau 2 | 21.0 |  |\n'
    )
    other['Seeds'] = 1
    assert '| `a` | 3 | 20.0' in model_zoo.table(
        '{}_x', 'a\nb, tau 2\n', results
    )
    with pytest.raises(ValueError, match="'c_x'"):
        model_zoo.table('{}_x', 'c\n', results)


def test_fill_keeps_what_is_around_a_table():
    comment = '<!-- results: {}_x\na\n-->\n'
    table = model_zoo.table('{}_x', 'a\n', {('a_x', ''): RESULT})
    for old in ('', '| old |\n'):
        text = f'Before.\n\n{comment}{old}\nAfter | this.\n'
        assert model_zoo.fill(text, {('a_x', ''): RESULT}) == (
            f'Before.\n\n{comment}{table}\nAfter | this.\n'
        )


def test_page_has_every_config():
    page = '\n'.join(model_zoo.page(FAMILIES))
    for family in FAMILIES.values():
        for model in family['Models']:
            assert f'`{model["Name"]}`' in page
