"""What the wheel holds, and how both mim tools find it.

``make test`` runs these against the wheel that it has installed; without one,
those that need it are skipped.
"""

import os
import re
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from packaging.requirements import Requirement

import mmlt

ROOT = Path(__file__).parent.parent
SITE = Path(sysconfig.get_paths()['purelib'])
INSTALLED = (
    Path(mmlt.__file__).parent == SITE / 'mmlt'
    and not (SITE / 'mmlt').is_symlink()
)
CONTENT = ('configs', 'tools', 'model-index.yml')
STACKS = (
    'classification',
    'detection',
    'onedl-classification',
    'onedl-detection',
)

needs_wheel = pytest.mark.skipif(
    not INSTALLED and 'MMLT_TEST_WHEEL' not in os.environ,
    reason='mmlt is not installed as a wheel: run make test',
)


def files_below(folder):
    """Relative paths and contents of all files but compiled ones."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in CONTENT
        for path in [folder / name, *(folder / name).rglob('*')]
        if path.is_file() and '__pycache__' not in path.parts
    }


def configs():
    """Names of the configs that are meant to be run."""
    paths = (ROOT / 'configs').rglob('*.py')
    return sorted(p.name for p in paths if '_base_' not in p.parts)


@needs_wheel
def test_the_wheel_is_under_test():
    assert INSTALLED


@needs_wheel
@pytest.mark.parametrize('package', ['mmlt', '_mmlt_mim'])
def test_wheel_holds_configs_and_tools(package):
    assert files_below(SITE / package / '.mim') == files_below(ROOT)


@needs_wheel
def test_record_begins_where_onedl_looks():
    names = [str(file) for file in metadata.distribution('mmlt').files]
    assert names[0].startswith('_mmlt_mim/.mim/')
    # A console script would come before it.
    assert not metadata.distribution('mmlt').entry_points


@needs_wheel
def test_wheel_holds_modules_and_data():
    names = {str(file) for file in metadata.distribution('mmlt').files}
    sources = {
        path.relative_to(ROOT).as_posix()
        for suffix in ('py', 'json')
        for path in (ROOT / 'mmlt').rglob(f'*.{suffix}')
        if '.mim' not in path.parts
    }
    assert sources <= names
    assert not [name for name in names if 'setup_env' in name]
    assert 'mmlt/class_stats/shipped/lvis_v1.json' in sources


@needs_wheel
def test_mim_finds_tools_and_bare_config_names():
    """By the functions of whichever mim is installed."""
    utils = pytest.importorskip('mim.utils')
    assert utils.is_installed('mmlt')
    assert utils.module_full_name('mmlt') == 'mmlt'
    root = Path(utils.get_installed_path('mmlt'))
    assert root.parent == SITE
    for tool in ('train.py', 'test.py'):
        assert (root / '.mim' / 'tools' / tool).is_file()
        assert not (root / 'tools' / tool).exists()
    for name in configs():
        found = utils.recursively_find(str(root), name, followlinks=True)
        assert len(found) == 1, name


@needs_wheel
def test_configs_inherit_from_mmlt(tmp_path):
    name = 'ce_resnet14-small_4e_fashion-mnist-lt-if100.py'
    (path,) = (ROOT / 'configs').rglob(name)
    base = path.relative_to(ROOT / 'configs').as_posix()
    child = tmp_path / 'child.py'
    child.write_text(
        f"_base_ = [__import__('mmlt') and 'mmlt::{base}']\nnew = 1\n"
    )
    cfg, parent = Config.fromfile(child), Config.fromfile(path)
    assert cfg.new == 1
    assert cfg.train_cfg == parent.train_cfg
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model, same = MODELS.build(cfg.model), MODELS.build(parent.model)
    assert repr(model) == repr(same)


@needs_wheel
def test_extras_are_the_requirement_files():
    content = metadata.metadata('mmlt')
    requires = [Requirement(r) for r in content.get_all('Requires-Dist')]
    assert content['License-Expression'] == 'Apache-2.0'
    for extra in (*STACKS, 'tests', 'docs'):
        names = {
            requirement.name
            for requirement in requires
            if requirement.marker is not None
            and requirement.marker.evaluate({'extra': extra})
        }
        assert names == {r.name for r in requirements(extra)}
    names = {r.name for r in requires if r.marker is None}
    assert names == {r.name for r in requirements('runtime')}
    stacks = {r.name for s in STACKS for r in requirements(s)}
    assert not names & stacks


def requirements(name):
    """Parse a requirement file."""
    text = (ROOT / 'requirements' / f'{name}.txt').read_text()
    lines = [line.split('#')[0].strip() for line in text.splitlines()]
    return [Requirement(line) for line in lines if line]


def test_every_requirement_is_pinned_to_a_version_it_allows():
    pins = {r.name: r.specifier for r in requirements('constraints')}
    assert all(re.fullmatch(r'==[\d.]+', str(pin)) for pin in pins.values())
    for name in ('build', 'runtime', *STACKS, 'tests', 'docs'):
        for requirement in requirements(name):
            version = str(pins[requirement.name]).removeprefix('==')
            assert version in requirement.specifier, requirement


def test_classification_asks_for_nothing_of_detection():
    for prefix, mmcv in (('', 'mmcv-lite'), ('onedl-', 'onedl-mmcv')):
        light = {r.name for r in requirements(f'{prefix}classification')}
        full = {r.name for r in requirements(f'{prefix}detection')}
        light_only = light - full
        assert light_only <= {'mmcv-lite'}
        assert mmcv in light
        assert {'hotcoco', 'pycocotools'} <= full - light
        assert any('mmdet' in name for name in full - light)


def test_model_index_lists_all_metafiles():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    found = sorted(ROOT.glob('configs/*/metafile.yml'))
    names = [path.relative_to(ROOT).as_posix() for path in found]
    assert index['Import'] == names
    assert names


def test_metafiles_name_configs_that_exist():
    models = [
        model
        for path in ROOT.glob('configs/*/metafile.yml')
        for model in yaml.safe_load(path.read_text())['Models']
    ]
    for model in models:
        path = ROOT / model['Config']
        assert path.is_file(), path
        assert model['Name'] == path.stem
    names = [model['Name'] for model in models]
    assert len(set(names)) == len(names)


def test_basenames_of_configs_are_unique():
    """Among all files of the package: mim searches it as a whole."""
    names = [
        path.name
        for folder in ('configs', 'tools', 'mmlt')
        for path in (ROOT / folder).rglob('*.py')
    ]
    assert [name for name in configs() if names.count(name) > 1] == []


def test_every_folder_of_configs_has_a_readme_and_a_metafile():
    folders = [p for p in (ROOT / 'configs').iterdir() if p.is_dir()]
    for folder in folders:
        if folder.name != '_base_':
            assert (folder / 'README.md').is_file(), folder
            assert (folder / 'metafile.yml').is_file(), folder
