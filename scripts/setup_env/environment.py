"""A virtual environment with a record of what was put into it."""

import json
import os
import re
import signal
import subprocess
import sys
import time

from checks import SetupError, clean_environ, output_of, version_of

PROGRESS_SECONDS = 15
# What pip prints when it fails, and what to do about it.
CURES = (
    (
        'No space left on device',
        'the disk is full. Free some space, or move what pip needs beside '
        'the environment: PIP_CACHE_DIR=, TMPDIR=',
    ),
    (
        'NewConnectionError|ConnectTimeout|ReadTimeout|Max retries|SSLError|'
        'ProxyError|name resolution|ConnectionResetError',
        'a download failed. Check the network and the proxy, then call the '
        'same command again: it goes on where it stopped',
    ),
    (
        'No matching distribution|Could not find a version',
        'the package index lacks a pinned version, or cannot be reached. '
        'Check the network and the index that "pip config list" names',
    ),
    (
        'Killed signal|out of memory',
        'the compiler ran out of memory. Call the same command with '
        'MAX_JOBS=1',
    ),
)
OTHER_CURE = 'see above, then call the same command again'


def last_sign(log):
    """Say how far the work has come, from what was printed so far."""
    steps = re.findall(r'\[(\d+)/(\d+)\]', log)
    if steps:
        return '{} of {} files compiled'.format(*steps[-1])
    words = 'Collecting|Downloading|Building|Preparing|Installing'
    lines = re.findall(rf'^\s*((?:{words}) .*)$', log, re.MULTILINE)
    if not lines:
        return 'working'
    if lines[-1].startswith('Installing collected packages'):
        return f'Installing packages: {lines[-1].count(",") + 1}'
    return lines[-1][:60]


class Environment:
    """A virtual environment for one stack.

    Args:
        folder (Path): Absolute path.
        stack (str): What it is to hold, or holds.
    """

    def __init__(self, folder, stack):
        self.folder = folder
        self.stack = stack
        self.python = folder / 'bin' / 'python'
        self._log = folder / 'setup.log'
        self._record = folder / 'mmlt.json'

    def read(self):
        """Return the record: folder, stack, level, requirements, project."""
        try:
            return json.loads(self._record.read_text())
        except (OSError, ValueError):
            return {}

    def write(self, **items):
        """Add to the record."""
        record = {**self.read(), **items}
        self._record.write_text(json.dumps(record, indent=2))

    def check_owner(self, python=None):
        """Refuse a folder that holds something else.

        Raises:
            SetupError: If it is no environment, or one of the other stack, or
                of another Python than the one asked for.
        """
        cure = 'Choose another folder with VENV=, or remove this one.'
        if not self.folder.exists():
            return
        config = self.folder / 'pyvenv.cfg'
        if not config.exists() and any(self.folder.iterdir()):
            raise SetupError(
                f'VENV={self.folder} is not empty and is no virtual '
                f'environment. {cure}'
            )
        stack = self.read().get('stack', self.stack)
        if stack != self.stack:
            raise SetupError(
                f'VENV={self.folder} holds the stack {stack}, which owns the '
                f'same packages as {self.stack}. {cure}'
            )
        version = version_of(self.python)
        if python and version and version != version_of(python):
            raise SetupError(
                f'VENV={self.folder} was not made with PYTHON={python}, but '
                f'with Python {version[0]}.{version[1]}. {cure}'
            )

    def works(self):
        """Whether it is there, was made at this very place, and runs."""
        made_at = self.read().get('folder', str(self.folder))
        return made_at == str(self.folder) and self.runs('pass')

    def runs(self, code):
        """Whether its Python runs a line of code."""
        return output_of(self.python, '-c', code) is not None

    def create(self, python):
        """Make it, over one that does not work any more.

        Raises:
            SetupError: If Python cannot.
        """
        print(f'Creating {self.folder} with {python}', flush=True)
        command = (python, '-m', 'venv', '--clear', self.folder)
        if output_of(*command) is None:
            raise SetupError(
                f'"{python} -m venv {self.folder}" failed. Run it by hand to '
                'see why, or name another folder or Python: VENV=, PYTHON='
            )
        self.write(folder=str(self.folder), stack=self.stack)

    def pip(self, title, *arguments, **environ):
        """Run pip, with a line of progress now and then.

        Args:
            title (str): Printed first.
            *arguments: Those of pip.
            **environ (str): Environment variables to set.

        Raises:
            SetupError: If pip fails.
        """
        print(title, flush=True)
        path = f'{self.python.parent}{os.pathsep}{os.environ["PATH"]}'
        with self._log.open('w') as file:
            process = subprocess.Popen(
                [str(self.python), '-m', 'pip', *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=clean_environ(PATH=path, **environ),
                start_new_session=True,
            )
            try:
                self._show_progress(process)
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)  # compilers, too
                raise
        if process.returncode:
            self._fail(title, process.returncode)

    def _show_progress(self, process):
        start = shown = time.monotonic()
        while process.poll() is None:
            time.sleep(0.1)
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown = time.monotonic()
                sign = last_sign(self._log.read_text(errors='replace'))
                print(f'  {shown - start:4.0f} s  {sign}', flush=True)

    def _fail(self, title, status):
        log = self._log.read_text(errors='replace')
        if status < 0:
            log += f'\npip was ended from outside, by signal {-status}'
        lines = [line for line in log.splitlines() if line.strip()]
        print('', *lines[-12:], sep='\n', file=sys.stderr)
        cures = [cure for pattern, cure in CURES if re.search(pattern, log)]
        raise SetupError(
            f'{title.split(" (")[0]} failed: {[*cures, OTHER_CURE][0]}. All '
            f'that pip printed is in {self._log}'
        )
