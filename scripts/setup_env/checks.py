"""What has to be there before anything is installed."""

import os
import shutil
import subprocess
import tempfile

VERSIONS = ((3, 11), (3, 12), (3, 10))  # in the order of preference
DISK_GB = 8.0
OTHER = 'Or name another Python: PYTHON=/path/to/python3.11'


class SetupError(Exception):
    """What went wrong, and what to do about it."""


def clean_environ(**extra):
    """Return the environment without what would leak into the new one."""
    leaks = ('PYTHONPATH', 'PYTHONHOME', 'PIP_USER', 'PIP_TARGET')
    environ = {k: v for k, v in os.environ.items() if k not in leaks}
    environ.update(PIP_DISABLE_PIP_VERSION_CHECK='1', PIP_NO_INPUT='1')
    environ.update(extra)
    return environ


def output_of(*command):
    """Run a short command; return its output, or None if it fails."""
    try:
        return subprocess.run(
            [str(part) for part in command],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environ(),
            text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def version_of(python):
    """Return (major, minor) of a Python program, or None."""
    code = 'import sys; print(*sys.version_info[:2])'
    found = output_of(python, '-c', code)
    return tuple(int(part) for part in found.split()) if found else None


def find_python(wanted=None):
    """Return the Python program to make the environment with.

    Raises:
        SetupError: If the one that is wanted, or every one that is there, is
            missing or of an untested version.
    """
    cure = 'Name one: make test PYTHON=/path/to/python3.11'
    if wanted:
        version = version_of(wanted)
        if version is None:
            raise SetupError(f'PYTHON={wanted} does not run. {cure}')
        if version not in VERSIONS:
            raise SetupError(
                f'PYTHON={wanted} is Python {version[0]}.{version[1]}, but '
                f'mmlt needs Python 3.10, 3.11 or 3.12. {cure}'
            )
        return wanted
    names = ['python3', *(f'python{a}.{b}' for a, b in VERSIONS)]
    for name in names:
        if version_of(name) in VERSIONS:
            return name
    raise SetupError(
        'mmlt needs Python 3.10, 3.11 or 3.12, and none of '
        f'{", ".join(names)} is one. {cure}'
    )


def check_python(python):
    """Check that environments can be made with Python.

    Raises:
        SetupError: If a module is missing.
    """
    if output_of(python, '-c', 'import venv, ensurepip') is None:
        raise SetupError(
            f'{python} lacks the modules venv and ensurepip. On Debian and '
            f'Ubuntu: apt-get install python3-venv. {OTHER}'
        )


def check_compiler(python):
    """Compile a line of C++17 that needs Python's headers.

    Raises:
        SetupError: If they are missing, or the compiler is.
    """
    code = 'import sysconfig; print(sysconfig.get_paths()["include"])'
    include = output_of(python, '-c', code) or ''
    if not os.path.exists(os.path.join(include, 'Python.h')):
        raise SetupError(
            f'{python} lacks its C headers ({include}/Python.h), which mmcv '
            'is compiled with. On Debian and Ubuntu: apt-get install '
            f'python3-dev. {OTHER}'
        )
    compiler = os.environ.get('CXX', 'c++')
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, 'probe.cpp')
        with open(source, 'w') as file:
            file.write('#include <Python.h>\n#include <optional>\n')
            file.write('std::optional<int> one = 1;\n')
        flags = ('-std=c++17', f'-I{include}', '-c', source)
        object_file = os.path.join(folder, 'probe.o')
        if output_of(*compiler.split(), *flags, '-o', object_file) is None:
            raise SetupError(
                f'The C++ compiler "{compiler}" is missing or knows no C++17, '
                'and mmcv has to be compiled. On Debian and Ubuntu: apt-get '
                'install g++. Without root: conda install -c conda-forge gxx. '
                'Or name a compiler: CXX=/path/to/g++'
            )


def check_disk(folder):
    """Check that an environment fits where it is to be.

    Raises:
        SetupError: If it does not.
    """
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(str(folder)).free / 1e9
    if free < DISK_GB:
        raise SetupError(
            f'{folder} has {free:.1f} GB free, but the environment needs '
            f'{DISK_GB:.0f} GB. Free some space, or put it on another disk: '
            'make test VENV=/other/disk/mmlt-venv'
        )
