"""Make the environment that ``make demo`` and ``make test`` run in.

Creates a virtual environment, installs the pinned stack and mmlt as a wheel
(or editable). What is up to date is left as it is. The level classification
needs no compiler; detection completes it, compiles mmcv once, and an
environment stays at it. Needs the standard library only, of any Python 3.

Example::

    python3 scripts/setup_env --stack openmmlab --venv .venv
"""

import argparse
import hashlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from checks import (
    SetupError,
    check_compiler,
    check_disk,
    check_python,
    find_python,
    output_of,
)
from environment import Environment

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIREMENTS = ROOT / 'requirements'
PINNED = ('-c', REQUIREMENTS / 'constraints.txt')
# Python compiles what is used at its first use; all of it takes a minute.
INSTALL = ('install', '--no-compile', *PINNED)
MMCV = {'openmmlab': 'mmcv', 'onedl': 'onedl-mmcv'}
LEVELS = ('classification', 'detection')
OPERATORS = 'import mmcv.ops'
BYTES_PER_JOB = 2**31  # what the compiler needs for one file of mmcv
# What goes into the wheel, or decides what does.
PROJECT = (
    'mmlt',
    '_mmlt_mim',
    'configs',
    'tools',
    'requirements',
    'model-index.yml',
    'pyproject.toml',
    'README.md',
    'LICENSE',
)


def digest(names):
    """Hash the names and contents of files, and of all files in folders."""
    files = []
    for path in (ROOT / name for name in names):
        files += path.rglob('*') if path.is_dir() else [path]
    result = hashlib.sha256()
    for file in sorted(files):
        if file.is_file() and '__pycache__' not in file.parts:
            result.update(str(file.relative_to(ROOT)).encode())
            result.update(hashlib.sha256(file.read_bytes()).digest())
    return result.hexdigest()


def requirement_files(stack, level):
    """List the requirement files of a level."""
    prefix = {'openmmlab': '', 'onedl': 'onedl-'}[stack]
    names = ['runtime', f'{prefix}{level}', 'constraints']
    if level == 'detection':
        names += ['build', 'tests']
    return [f'requirements/{name}.txt' for name in names]


def level_of(env):
    """Return the level that an environment has, which it keeps."""
    level = env.read().get('level')
    return level or LEVELS[env.runs(OPERATORS)]


def bring_to(env, level):
    """Install what a level has, if its requirement files have changed."""
    files = requirement_files(env.stack, level)
    wanted = digest(files)
    if env.read().get('requirements') == wanted:
        return
    install = {
        'classification': install_classification,
        'detection': install_detection,
    }
    lists = [file for file in files if 'constraints' not in file]
    install[level](env, [part for f in lists for part in ('-r', ROOT / f)])
    env.write(level=level, requirements=wanted)


def install_classification(env, lists):
    """Install PyTorch and an mmcv without operators; nothing is compiled."""
    env.pip(
        'Installing PyTorch (5 GB, one to a few minutes)',
        *(*INSTALL, 'setuptools'),
        *('-r', REQUIREMENTS / 'runtime.txt'),
    )
    if env.stack == 'onedl':
        # pip builds it where there is no PyTorch, and then it has no
        # operators. The cache must not hand such a wheel to install_detection.
        options = ('--no-deps', '--no-cache-dir')
        env.pip(
            'Building onedl-mmcv without operators',
            *(*INSTALL, *options, MMCV[env.stack]),
        )
    env.pip(
        f'Installing the other packages of {env.stack}',
        *(*INSTALL, '--no-build-isolation', *lists),
    )


def install_detection(env, lists):
    """Compile mmcv; install what detection and the tests need."""
    env.pip(
        'Installing what mmcv is compiled with',
        *(*INSTALL, '-r', REQUIREMENTS / 'build.txt'),
    )
    if not env.runs(OPERATORS):
        compile_mmcv(env)
    if not env.runs(OPERATORS):
        # pip's cache does not know for which PyTorch a wheel was compiled.
        compile_mmcv(env, '--no-cache-dir')
    if not env.runs(OPERATORS):
        raise SetupError(
            'mmcv was compiled but cannot be imported. To see why: '
            f'"{env.python}" -c "{OPERATORS}"'
        )
    env.pip(
        f'Installing the other packages of {env.stack}',
        *(*INSTALL, '--no-build-isolation', *lists),
    )


def compile_mmcv(env, *options):
    """Compile mmcv, or take what pip has compiled before, and install it."""
    memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    cores = len(os.sched_getaffinity(0))
    jobs = max(1, min(cores, memory // BYTES_PER_JOB))
    # -g0 -O1 halve the time that it takes.
    environ = {'MAX_JOBS': str(jobs), 'CFLAGS': '-g0 -O1'}
    environ.update({k: os.environ[k] for k in environ if k in os.environ})
    cuda = os.environ.get('CUDA_HOME', '/usr/local/cuda')
    if not shutil.which('nvcc') and not os.path.exists(f'{cuda}/bin/nvcc'):
        environ['CUDA_VISIBLE_DEVICES'] = ''
        if env.runs('import torch; torch.cuda.init()'):
            print(
                'No nvcc: mmcv is built without CUDA operators. Classifiers '
                'need none; for detectors on a GPU install the CUDA toolkit, '
                'then "make clean".'
            )
    with tempfile.TemporaryDirectory() as folder:
        env.pip(
            f'Compiling {MMCV[env.stack]} (7 to 12 minutes on 2 cores, once '
            'per environment, unless pip has it in its cache)',
            *('wheel', *PINNED, '-w', folder),
            *('-v', '--no-build-isolation', '--no-deps', *options),
            MMCV[env.stack],
            **environ,
        )
        replace_mmcv(env, next(Path(folder).glob('*.whl')))


def replace_mmcv(env, wheel):
    """Install the wheel in the place of an mmcv without operators."""
    # From here on an interrupted environment is completed, not repaired.
    env.write(level='detection', requirements=None)
    names = ('mmcv-lite', MMCV[env.stack])  # they own the same files
    env.pip('Removing the mmcv without operators', 'uninstall', '-y', *names)
    env.pip('Installing mmcv', 'install', '--no-deps', '--no-index', wheel)


def install_project(env, editable):
    """Install mmlt itself, if it has changed since."""
    state = 'editable' if editable else digest(PROJECT)
    if env.read().get('project') == state:
        return
    code = 'import sysconfig; print(sysconfig.get_paths()["purelib"])'
    link = Path(output_of(env.python, '-c', code)) / 'mmlt'
    if link.is_symlink():
        link.unlink()  # else pip would write through it into the sources
    env.write(project=None)
    offline = ('--no-deps', '--no-index')
    if editable:
        options = (*offline, '--no-build-isolation', '-e', ROOT)
        env.pip('Installing mmlt, editable', 'install', *options)
        # openmim looks for the configs below the installed packages.
        link.symlink_to(ROOT / 'mmlt')
    else:
        with tempfile.TemporaryDirectory() as folder:
            wheel = build_wheel(env, Path(folder))
            options = (*offline, '--force-reinstall', wheel)
            env.pip('Installing the wheel of mmlt', 'install', *options)
    env.write(project=state)


def build_wheel(env, folder):
    """Build the wheel of mmlt in a folder and return its path.

    It is built from a copy of the sources: a build folder in the sources
    would put its old files into later wheels.
    """
    copy = folder / 'sources'
    copy.mkdir()
    for source in (ROOT / name for name in PROJECT):
        if source.is_dir():
            target = copy / source.name
            shutil.copytree(str(source), str(target), symlinks=True)
        else:
            shutil.copy(str(source), str(copy))
    options = ('--no-deps', '--no-index', '--no-build-isolation')
    env.pip(
        'Building the wheel of mmlt', 'wheel', *options, '-w', folder, copy
    )
    (wheel,) = folder.glob('*.whl')
    return wheel


def parse_arguments():
    """Parse what the Makefile hands over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--stack', default='openmmlab', help=' or '.join(MMCV))
    parser.add_argument(
        '--level', default=LEVELS[-1], choices=LEVELS, help='how much'
    )
    parser.add_argument('--venv', required=True, help='folder to install in')
    parser.add_argument('--python', help='Python program to make it with')
    parser.add_argument(
        '--editable', action='store_true', help='install mmlt for development'
    )
    return parser.parse_args()


def main():
    """Bring the environment up to date."""
    args = parse_arguments()
    if args.stack not in MMCV:
        raise SetupError(
            f'STACK={args.stack} is unknown. Choose {" or ".join(MMCV)}: '
            'make test STACK=onedl'
        )
    env = Environment(Path(os.path.abspath(args.venv)), args.stack)
    env.check_owner(args.python)
    works = env.works()
    present = level_of(env) if works else LEVELS[0]
    level = max(present, args.level, key=LEVELS.index)
    python = env.python if works else find_python(args.python)
    if not works:
        check_python(python)
        check_disk(env.folder)
    if level != present:
        check_compiler(python)
    if not works:
        env.create(python)
    for each in LEVELS[LEVELS.index(present) : LEVELS.index(level) + 1]:
        bring_to(env, each)
    install_project(env, args.editable)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except SetupError as error:
        sys.exit(f'\nError: {error}')
    except KeyboardInterrupt:
        sys.exit('\nInterrupted. The same command goes on where it stopped.')
