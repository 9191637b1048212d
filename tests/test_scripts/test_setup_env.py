"""The set-up of the environment, without installing anything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETUP = ROOT / 'scripts' / 'setup_env'


@pytest.fixture(scope='module')
def modules():
    """The modules `checks` and `environment`."""
    sys.path.insert(0, str(SETUP))
    import checks
    import environment

    sys.path.remove(str(SETUP))
    return checks, environment


@pytest.fixture
def checks(modules):
    return modules[0]


@pytest.fixture
def environment(modules):
    return modules[1]


def program(path, text):
    """Write a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)
    return path


def setup(*arguments):
    """Run the set-up, which must fail; return the message."""
    done = subprocess.run(
        [sys.executable, SETUP, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    return done.stderr


def test_unknown_stack(tmp_path):
    text = setup('--stack', 'mmcls', '--venv', tmp_path / 'new')
    assert 'STACK=mmcls is unknown. Choose openmmlab or onedl' in text
    assert not (tmp_path / 'new').exists()


def test_folder_with_other_things(tmp_path):
    (tmp_path / 'thesis.tex').touch()
    text = setup('--venv', tmp_path)
    assert 'is not empty and is no virtual environment' in text
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.tex']


def test_environment_of_the_other_stack(tmp_path):
    (tmp_path / 'pyvenv.cfg').touch()
    (tmp_path / 'mmlt.json').write_text(json.dumps({'stack': 'onedl'}))
    text = setup('--venv', tmp_path, '--stack', 'openmmlab')
    assert 'holds the stack onedl' in text


def test_environment_of_another_python(tmp_path):
    (tmp_path / 'pyvenv.cfg').touch()
    program(tmp_path / 'bin' / 'python', 'echo 3 10')
    other = program(tmp_path / 'python', 'echo 3 12')
    text = setup('--venv', tmp_path, '--python', other)
    assert 'with Python 3.10. Choose another folder with VENV=' in text


@pytest.mark.parametrize(
    ('script', 'message'),
    [
        ('echo 3 9', 'is Python 3.9, but mmlt needs'),
        ('exit 1', 'does not run'),
    ],
)
def test_wrong_python(tmp_path, script, message):
    python = program(tmp_path / 'python', script)
    text = setup('--venv', tmp_path / 'new', '--python', python)
    assert message in text
    assert 'make test PYTHON=' in text


def test_python_is_searched_for(tmp_path, monkeypatch, checks):
    program(tmp_path / 'python3', 'echo 3 13')
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(
        checks.SetupError, match=r'none of python3, python3.11'
    ):
        checks.find_python()
    program(tmp_path / 'python3.10', 'echo 3 10')
    assert checks.find_python() == 'python3.10'


def test_missing_compiler(tmp_path, monkeypatch, checks):
    monkeypatch.setenv('CXX', str(tmp_path / 'no-compiler'))
    with pytest.raises(checks.SetupError, match='install g\\+\\+'):
        checks.check_compiler(sys.executable)
    checks.check_python(sys.executable)  # classification needs none
    monkeypatch.delenv('CXX')
    checks.check_compiler(sys.executable)


def test_missing_headers(tmp_path, checks):
    python = program(tmp_path / 'python', f'echo {tmp_path}')
    with pytest.raises(checks.SetupError, match='python3-dev'):
        checks.check_compiler(python)


def test_missing_venv_module(tmp_path, checks):
    python = program(tmp_path / 'python', 'exit 1')
    with pytest.raises(checks.SetupError, match='python3-venv'):
        checks.check_python(python)


def test_small_disk(tmp_path, monkeypatch, checks):
    checks.check_disk(tmp_path / 'does' / 'not' / 'exist')
    monkeypatch.setattr(checks, 'DISK_GB', 1e9)
    with pytest.raises(checks.SetupError, match='GB free, but the environmen'):
        checks.check_disk(tmp_path / 'does' / 'not' / 'exist')


@pytest.mark.parametrize(
    ('printed', 'cure'),
    [
        ('OSError: [Errno 28] No space left on device', 'the disk is full'),
        ('NewConnectionError: name resolution', 'a download failed'),
        ('No matching distribution found', 'lacks a pinned version'),
        ('c++: fatal error: Killed signal', 'MAX_JOBS=1'),
        ('something else', 'see above'),
    ],
)
def test_pip_fails(tmp_path, capsys, environment, checks, printed, cure):
    program(tmp_path / 'bin' / 'python', f'echo "{printed}"; exit 1')
    env = environment.Environment(tmp_path, 'openmmlab')
    with pytest.raises(checks.SetupError, match=cure):
        env.pip('Installing x', 'install', 'x')
    assert printed in capsys.readouterr().err


def test_pip_is_killed(tmp_path, capsys, environment, checks):
    program(tmp_path / 'bin' / 'python', 'kill -9 $$')
    env = environment.Environment(tmp_path, 'openmmlab')
    with pytest.raises(
        checks.SetupError, match='Installing x failed: see above'
    ):
        env.pip('Installing x', 'install', 'x')
    assert 'ended from outside, by signal 9' in capsys.readouterr().err


def test_pip_shows_progress(tmp_path, capsys, monkeypatch, environment):
    monkeypatch.setattr(environment, 'PROGRESS_SECONDS', 0.3)
    script = 'echo Collecting y; echo "[3/77] c++"; sleep 1'
    program(tmp_path / 'bin' / 'python', script)
    env = environment.Environment(tmp_path, 'openmmlab')
    env.pip('Compiling x', 'install', 'x')
    first, *others = capsys.readouterr().out.splitlines()
    assert first == 'Compiling x'
    assert others
    assert all('3 of 77 files compiled' in line for line in others)
    assert environment.last_sign('Collecting y\n') == 'Collecting y'
    assert environment.last_sign('') == 'working'
    log = 'Collecting y\nInstalling collected packages: y, z\n'
    assert environment.last_sign(log) == 'Installing packages: 2'


def test_moved_environment_does_not_work(tmp_path, environment):
    program(tmp_path / 'bin' / 'python', 'exit 0')
    env = environment.Environment(tmp_path, 'openmmlab')
    env.write(folder=str(tmp_path))
    assert env.works()
    env.write(folder=str(tmp_path / 'elsewhere'))
    assert not env.works()
