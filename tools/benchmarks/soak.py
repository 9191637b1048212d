"""Kill trainings at random, resume them, and compare with uninterrupted ones.

    python tools/benchmarks/soak.py [--runs bbn eqlv2] [--kills 20] [--seed 0]

Each training is run once as it is, and once more with a SIGKILL at random
moments: in its start, a step, a validation, or while a checkpoint is written.
After each kill, `tools/train.py --resume` goes on. In the end weights,
buffers, optimizer, schedules and random states must be equal, bit for bit.
Data are generated, models are narrow; configs and tools are those of users.
"""

import argparse
import os
import random
import runpy
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import soak_runs
import torch
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModel
from mmengine.runner import ValLoop

from mmlt.class_stats.storage import load_tensors
from mmlt.registry import DATASETS, HOOKS, METRICS, MODELS

TRAIN = Path(__file__).parents[1] / 'train.py'
COMPARED = ('state_dict', 'optimizer', 'param_schedulers', 'random_state')
# When to kill; 'start' is all before the first of the others.
PHASES = ('start', 'step', 'save', 'validation')
FORK = get_context('fork')


class Training:
    """A process that trains, and says what it is doing.

    Args:
        config (Path): Config file.
        work_dir (Path): Of the run.
        arguments (list[str]): Others of ``tools/train.py``.
    """

    def __init__(
        self, config: Path, work_dir: Path, arguments: tuple[str, ...] = ()
    ) -> None:
        self.log = work_dir.with_suffix('.log')
        self.events, writer = FORK.Pipe(duplex=False)
        argv = [str(TRAIN), str(config), '--work-dir', str(work_dir)]
        self.process = FORK.Process(
            target=_train, args=([*argv, *arguments], self.log, writer)
        )
        self.process.start()
        writer.close()

    def next(self) -> tuple[str, bool, float] | None:
        """What begins (True) or ends, and when; None at the end."""
        try:
            return self.events.recv()
        except EOFError:
            return None

    def close(self) -> int:
        """Wait for the end; the exit code."""
        self.process.join()
        self.events.close()
        return self.process.exitcode


def _train(argv: list[str], log: Path, events: Connection) -> None:
    """In a process of its own, what the command line would do."""
    file = log.open('a')
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    _announce(BaseModel, 'train_step', 'step', events)
    _announce(CheckpointHook, '_save_checkpoint', 'save', events)
    _announce(CheckpointHook, '_save_best_checkpoint', 'save', events)
    _announce(ValLoop, 'run', 'validation', events)
    events.send(('start', True, time.monotonic()))
    sys.argv = argv
    runpy.run_path(argv[0], run_name='__main__')


def _announce(
    owner: type, method: str, phase: str, events: Connection
) -> None:
    call = getattr(owner, method)

    def announced(*args, **kwargs):
        events.send((phase, True, time.monotonic()))
        result = call(*args, **kwargs)
        events.send((phase, False, time.monotonic()))
        return result

    setattr(owner, method, announced)


def run_whole(config: Path, work_dir: Path) -> dict[str, float]:
    """Train without a kill.

    Returns:
        dict[str, float]: Median seconds of each phase.
    """
    training = Training(config, work_dir)
    begun: dict[str, float] = {}
    seconds: dict[str, list[float]] = {phase: [] for phase in PHASES}
    while event := training.next():
        phase, begins, now = event
        if not seconds['start'] and phase != 'start':
            seconds['start'].append(now - begun['start'])
        if begins:
            begun[phase] = now
        else:
            seconds[phase].append(now - begun[phase])
    _check(training)
    return {name: statistics.median(each) for name, each in seconds.items()}


def run_until_killed(
    training: Training, phase: str, occurrence: int, delay: float
) -> str | None:
    """Kill it some time after a phase has begun for the n-th time.

    Returns:
        str | None: The phase that the kill has hit; None if it ended before.
    """
    left = occurrence
    now: list[str] = []
    while event := training.next():
        left -= event[0] == phase and event[1]
        _enter(now, event)
        if left == 0:
            break
    else:
        return None
    time.sleep(delay)
    os.kill(training.process.pid, signal.SIGKILL)
    training.process.join()
    # Not to the end: orphans, that load data, have the pipe for some seconds.
    while training.events.poll() and (event := training.next()):
        _enter(now, event)
    return now[-1] if now else 'between'


def _enter(now: list[str], event: tuple[str, bool, float]) -> None:
    """Keep the phases that have begun, the innermost last."""
    phase, begins, _ = event
    if now == ['start']:
        now.clear()
    if begins:
        now.append(phase)
    else:
        now.pop()


def run_with_kills(
    config: Path,
    work_dir: Path,
    seconds: dict[str, float],
    kills: int,
    rng: random.Random,
) -> list[str]:
    """Train, with kills and resuming.

    Returns:
        list[str]: The phase that each kill has hit.
    """
    hits = []
    while len(hits) < kills:
        phase = rng.choice(PHASES)
        occurrence = 1 if phase == 'start' else rng.randint(1, 2)
        if phase == 'step':
            occurrence = rng.randint(1, 2 * soak_runs.STEPS)
        delay = rng.uniform(0, 1.1 * seconds[phase])
        training = Training(config, work_dir, ('--resume',))
        hit = run_until_killed(training, phase, occurrence, delay)
        if hit is None:
            _check(training)
            return hits
        training.close()
        hits.append(hit)
    training = Training(config, work_dir, ('--resume',))
    while training.next():
        pass
    _check(training)
    return hits


def _check(training: Training) -> None:
    """Raise if the training has failed by itself."""
    code = training.close()
    if code:
        tail = training.log.read_text().splitlines()[-15:]
        raise RuntimeError(
            f'the training ended with {code}; {training.log} ends with\n'
            + '\n'.join(tail)
        )


def differences(name: str, whole: object, parts: object) -> Iterator[str]:
    """Names of what is not equal, bit for bit."""
    if isinstance(whole, dict) and isinstance(parts, dict):
        for key in {**whole, **parts}:
            pair = whole.get(key), parts.get(key)
            yield from differences(f'{name}.{key}', *pair)
    elif isinstance(whole, list | tuple) and isinstance(parts, list | tuple):
        if len(whole) != len(parts):
            yield f'{name}: {len(whole)} against {len(parts)} entries'
        for index, pair in enumerate(zip(whole, parts, strict=False)):
            yield from differences(f'{name}.{index}', *pair)
    elif isinstance(whole, torch.Tensor) and isinstance(parts, torch.Tensor):
        same_kind = (whole.dtype, whole.shape) == (parts.dtype, parts.shape)
        if not same_kind or _bytes(whole) != _bytes(parts):
            yield name
    elif whole != parts:
        yield f'{name}: {whole} against {parts}'


def _bytes(tensor: torch.Tensor) -> bytes:
    # NaN is not equal to itself; its bytes are.
    return tensor.contiguous().numpy().tobytes()


def soak(
    name: str, config: Path, folder: Path, kills: int, seed: int
) -> list[str]:
    """Print a row of the table; what is not equal in the end."""
    start = time.monotonic()
    seconds = run_whole(config, folder / 'whole')
    hits = run_with_kills(
        config,
        folder / 'parts',
        seconds,
        kills,
        random.Random(f'{seed} {name}'),
    )
    last = (folder / 'whole' / 'last_checkpoint').read_text()
    whole, parts = (
        load_tensors(folder / run / Path(last).name)
        for run in ('whole', 'parts')
    )
    wrong = [
        difference
        for key in COMPARED
        for difference in differences(key, whole[key], parts[key])
    ]
    tensors = sum(isinstance(each, torch.Tensor) for each in _leaves(whole))
    counts = Counter(hits)
    by_phase = ' | '.join(str(counts[p]) for p in (*PHASES, 'between'))
    print(
        f'| {name} | {len(hits)} | {by_phase} | {tensors} | {len(wrong)} '
        f'| {time.monotonic() - start:.0f} |',
        flush=True,
    )
    return wrong


def _leaves(content: object) -> Iterator[object]:
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list | tuple):
        for each in content:
            yield from _leaves(each)
    else:
        yield content


@contextmanager
def folder_of(path: str | None) -> Iterator[Path]:
    """The folder, which stays, or one for the time being."""
    if path is None:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
    else:
        yield Path(path).resolve()


def import_all() -> None:
    """Once, instead of at each start."""
    for registry in (DATASETS, HOOKS, METRICS, MODELS):
        registry.import_from_location()
    for module in ('mmpretrain.apis', 'mmdet.apis', 'mmlt.engine.launch'):
        import_module(module)


def main(runs: dict[str, Callable] = soak_runs.RUNS) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--runs', nargs='+', choices=runs, default=list(runs), metavar='RUN',
        help=f'default: all, {", ".join(runs)}'
    )  # fmt: skip
    parser.add_argument('--kills', type=int, default=20, help='of each run')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--work-dir', help='new folder to keep; default: none')
    args = parser.parse_args()
    torch.set_num_threads(1)
    import_all()
    wrong = {}
    with folder_of(args.work_dir) as folder:
        folder.mkdir(parents=True, exist_ok=True)
        print(f'| Training | Kills | {" | ".join(PHASES)} | between '
              '| Tensors | Unequal | Seconds |')  # fmt: skip
        print('|-' * 10 + '|')
        soak_runs.write_data(folder / 'data')
        for name in args.runs:
            (folder / name).mkdir()
            config = soak_runs.write_config(name, folder, args.kills)
            try:
                found = soak(
                    name, config, folder / name, args.kills, args.seed
                )
            except RuntimeError as error:
                found = [str(error)]
            if found:
                wrong[name] = found
                print('\n'.join([f'{name}:', *found[:5]]), file=sys.stderr)
    if wrong:
        sys.exit(f'Not equal, with --seed {args.seed}: {", ".join(wrong)}')


if __name__ == '__main__':
    main()
