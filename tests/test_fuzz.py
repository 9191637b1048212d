"""Nonsense arguments of every registered class end in words, or in work.

An argument or two of a valid config are replaced. What is built of it is used
once, and is finite; or ``ValueError``, ``TypeError``, ``FileNotFoundError`` or
``KeyError`` names the argument. Arguments that mmlt passes on to a library are
the library's. A new class needs nothing here, unless `fuzz_cases.py` knows no
valid value of an argument.

``MMLT_FUZZ_SEED=1 MMLT_FUZZ_CASES=3000 pytest tests/test_fuzz.py`` draws
others.
"""

import copy
import importlib.util
import inspect
import math
import os
import random
import re
from pathlib import Path

import pytest
import torch
from mmengine import registry
from mmpretrain.models.classifiers import BaseClassifier

import mmlt.registry  # noqa: F401

SEED = int(os.environ.get('MMLT_FUZZ_SEED', 0))
CASES = int(os.environ.get('MMLT_FUZZ_CASES', 300))
ERRORS = (ValueError, TypeError, FileNotFoundError, KeyError)
# Of OpenMMLab's base classes, which check them or do not.
LIBRARY = {
    'backend_args', 'base_channels', 'collect_device', 'data_preprocessor',
    'dataloader', 'drop_path_rate', 'frozen_stages', 'init_cfg', 'lazy_init',
    'metainfo', 'neck', 'norm_cfg', 'norm_eval', 'out_indices', 'prefix',
    'pretrained', 'runner', 'sampler', 'train_cfg', 'with_cp',
    'zero_init_residual',
}  # fmt: skip


def load_cases():
    """The file beside this one; the tests are no package."""
    path = Path(__file__).with_name('fuzz_cases.py')
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases = load_cases()


def registered():
    """Registry, name and class of all that mmlt registers."""
    for kind, root in sorted(vars(registry).items()):
        if isinstance(root, registry.Registry) and 'mmlt' in root.children:
            ours = root.children['mmlt']
            ours.import_from_location()
            for name, cls in sorted(ours.module_dict.items()):
                if cls.__module__.startswith('mmlt.'):
                    yield pytest.param(kind, name, cls, id=f'{kind}-{name}')


TYPES = [*registered()]


def parameters_of(cls):
    """Those that classes of mmlt declare, to be fuzzed."""
    found = {}
    for base in inspect.getmro(cls):
        if '__init__' not in vars(base):
            continue
        if not base.__module__.startswith('mmlt.'):
            break
        declared = [*inspect.signature(base.__init__).parameters.values()]
        for each in declared[1:]:
            if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL):
                found.setdefault(each.name, each)
        if declared[-1].kind is not declared[-1].VAR_KEYWORD:
            break
    return found


def passed_on(kind, cls):
    """Arguments whose check is the library's, for some classes."""
    if issubclass(cls, BaseClassifier):
        return {'backbone', 'head'}
    return {'dataset'} if kind == 'DATA_SAMPLERS' else set()


def nonsense(name, rng):
    """A value, most of which are wrong for most arguments."""
    values = [
        True, False, math.nan, math.inf, -math.inf, -1, 0, 0.5, 1e30, 10**30,
        10**400, '', 'text', b'bytes', [], ['a', 1], [math.nan], [[1], [2, 3]],
        (1, 1), {}, {'a': 1}, dict(type='mmlt.NoSuchType'),
        dict(type='ReLU'), None, {1, 2}, dict, torch.tensor(2.0),
    ]  # fmt: skip
    if name == 'type':
        values = ['mmlt.NoSuchType', 'ReLU', None, 5, dict]
    if name == 'class_stats':
        count = [9, 8, 7, 6, 5, 4, 3, 2]
        values += [
            [0] * 8, [1] * 7, [*count[1:], -1], [*count[1:], 0.5], count,
            dict(image_count=count), dict(image_count=count, num_images=1),
            dict(image_count=count, num_images=50, classes=['a'] * 8),
            dict(image_cuont=count), 'no.json', 'lvis_v1',
        ]  # fmt: skip
    return rng.choice(values)


def mutate(config, parameters, rng):
    """Replace an argument, or one within it; returns the names of what is."""
    name = rng.choice([*sorted(parameters)])
    value = config.get(name, parameters[name].default)
    if rng.random() < 0.1:
        config[f'{name}x'] = config.pop(name, value)
        return {f'{name}x', name}
    ours = isinstance(value, dict) and (
        str(value.get('type', 'mmlt.')).startswith('mmlt.')
    )
    if ours and value and rng.random() < 0.6:
        key = rng.choice(sorted(value))
        config[name] = {**value, key: nonsense(key, rng)}
        return {name, key}
    config[name] = nonsense(name, rng)
    return {name}


def is_named(error, names, config):
    """Whether the error says what is wrong."""
    text = str(error)
    # MMEngine's, of what is no config, or of a wrong type.
    if re.search(r'cfg. ?(should|or)|is not in the mm|\bReLU\b', text):
        return True
    if 'class_stats' in names and 'class statistics' in text:
        return True
    return any(re.search(rf'\b{name}\b', text) for name in names)


def outcome(kind, name, config, names, folder):
    """What is wrong with it; None if it works, or is refused in words."""
    try:
        values = cases.use(kind, name, copy.deepcopy(config), folder)
    except ERRORS as error:
        if is_named(error, names, config):
            return None
        return f'does not name it: {type(error).__name__}: {error}'
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    wrong = [k for k, v in values.items() if not v.isfinite().all()]
    return f'not finite: {wrong}' if wrong else None


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('fuzz') / 'files'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.runner.runner.collect_env', dict)
        # What is written is written there.
        patch.chdir(path.parent)
        cases.write_files(path)
        yield path


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize(('kind', 'name', 'cls'), TYPES)
def test_nonsense(kind, name, cls, folder):
    declared = parameters_of(cls)
    rng = random.Random(f'{SEED} {name}')
    config = cases.valid_config(kind, name, declared, folder, rng)
    found = outcome(kind, name, config, set(), folder)
    assert found is None, f'{config}, which is meant to be valid: {found}'
    fuzzed = {
        key: each
        for key, each in declared.items()
        if key not in LIBRARY | passed_on(kind, cls)
    }
    failures = []
    for _ in range(CASES // len(TYPES) + 1 if fuzzed else 0):
        config = cases.valid_config(kind, name, declared, folder, rng)
        names = set()
        for _ in range(rng.choice((1, 1, 2))):
            names |= mutate(config, fuzzed, rng)
        found = outcome(kind, name, config, names, folder)
        if found is not None:
            failures.append(f'{config}\n    {found[:500]}')
    assert not failures, f'seed {SEED}:\n' + '\n'.join(failures)


@pytest.mark.parametrize(
    ('result', 'found'),
    [
        (ValueError('tau must be a number'), None),
        (ValueError('it must be a number'), 'does not name it'),
        (TypeError('unexpected argument taus'), 'does not name it'),
        (ZeroDivisionError('tau'), 'ZeroDivisionError'),
        ({'loss': torch.tensor(math.nan)}, 'not finite'),
        ({'loss': torch.tensor(1.0)}, None),
    ],
)
def test_what_passes(monkeypatch, result, found):
    def use(*args):
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(cases, 'use', use)
    said = outcome('MODELS', 'LogitAdjustedLoss', {}, {'tau'}, None)
    assert said is None if found is None else said.startswith(found)
