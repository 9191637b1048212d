"""Check every registered model and metric on a GPU.

    python tools/benchmarks/accelerator.py [--device cpu]

A row for each of them says how much values and gradients on the device, in
float32, differ from those on the CPU in float64, relative to the largest;
whether training steps in mixed precision are finite; and whether a step waits
for the device, after the first one. Then a classifier trains with one rank
under DistributedDataParallel. The exit code is 1 if anything fails.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from cases import METRIC_CASES, MODEL_CASES, STATS, B, C, Kind, Values
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import Registry
from mmpretrain.structures import DataSample
from torch import Tensor

from mmlt.class_stats.receiver import ClassStatsReceiver
from mmlt.registry import METRICS, MODELS


class Failure(Exception):  # noqa: N818
    """A check has failed."""


def move(value: Any, device: str, dtype: torch.dtype) -> Any:
    """Tensors to the device, and those of floats to the precision."""
    if isinstance(value, Tensor):
        return value.to(device, dtype if value.is_floating_point() else None)
    if isinstance(value, DataSample):
        return value.to(device)
    if isinstance(value, dict):
        return {key: move(each, device, dtype) for key, each in value.items()}
    if isinstance(value, list):
        return [move(each, device, dtype) for each in value]
    return value


class Step:
    """A training step of a module, on a batch that stays the same.

    Args:
        name (str): Registered name.
        kind (Kind): How it is fed.
        config (dict): Its config.
        device (str): Where.
        dtype (torch.dtype): Of weights and batch.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        config: dict,
        device: str,
        dtype: torch.dtype,
    ) -> None:
        torch.manual_seed(0)
        self.kind = kind
        self.module = MODELS.build(
            dict(type=f'mmlt.{name}', **kind.config, **config)
        )
        for part in self.module.modules():
            if isinstance(part, ClassStatsReceiver):
                part.set_class_stats(STATS)
        inputs, rest = kind.batch(self.module)
        self.module.to(device, dtype).train()
        self.inputs = move(inputs, device, dtype).requires_grad_()
        self.rest = move(rest, device, dtype)
        # The batch is learnt as well: most losses have no weights.
        self.learnt = [self.inputs, *self.module.parameters()]
        self.optimizer = torch.optim.SGD(self.learnt, lr=1e-3)

    def forward(self, dtype: torch.dtype) -> tuple[Tensor, Values]:
        """The sum of the losses, and all values."""
        inputs = self.inputs.to(dtype)
        values = self.kind.loss(self.module, inputs, self.rest)
        losses = [each for each in values.values() if each.requires_grad]
        return torch.stack(losses).sum(), values

    def values(self) -> Values:
        """Values of two steps, their gradients, and predictions."""
        result: Values = {}
        torch.manual_seed(0)  # What the CPU draws is the same everywhere.
        # Some losses count what they have seen.
        for number in range(2):
            loss, values = self.forward(self.inputs.dtype)
            loss.backward()
            result |= {f'{key} {number}': each for key, each in values.items()}
        result |= {
            f'gradient {number}': each.grad
            for number, each in enumerate(self.learnt)
            if each.grad is not None
        }
        if self.kind.predict is not None:
            self.module.eval()
            with torch.no_grad():
                scores = self.kind.predict(self.module, self.inputs, self.rest)
            result |= {f'test {key}': each for key, each in scores.items()}
        return result

    def run(self) -> None:
        """The step, in full precision."""
        self.optimizer.zero_grad()
        self.forward(torch.float32)[0].backward()
        self.optimizer.step()

    def run_in_mixed_precision(self, dtype: torch.dtype) -> None:
        """The step; raises unless it is finite."""
        device = self.inputs.device.type
        scaler = torch.amp.GradScaler(
            device, init_scale=256.0, enabled=dtype == torch.float16
        )
        self.optimizer.zero_grad()
        with torch.autocast(device, dtype):
            loss, _ = self.forward(dtype)
        scaler.scale(loss).backward()
        scaler.step(self.optimizer)
        scaler.update()
        gradients = [x.grad for x in self.learnt if x.grad is not None]
        if not all(x.isfinite().all() for x in (loss, *gradients)):
            raise Failure('not finite')


def case_of(name: str, cases: dict) -> tuple:
    """How to feed what is registered by this name."""
    if name not in cases:
        raise Failure('is registered, but has no entry in cases.py')
    return cases[name]


def steps(
    name: str, device: str, dtype: torch.dtype = torch.float32
) -> Iterator[Step]:
    """A step for each config of a model."""
    kind, configs = case_of(name, MODEL_CASES)
    for config in configs:
        yield Step(name, kind, config, device, dtype)


def difference(
    values: dict, reference: dict, tolerance: float = 1e-4
) -> float:
    """The largest one of all values, relative to the largest of its kind.

    Raises:
        Failure: If it is above the tolerance, or the values have other names.
    """
    if not reference or values.keys() != reference.keys():
        raise Failure(f'has {[*values]} instead of {[*reference]}')
    worst = 0.0
    for key, expected in reference.items():
        expected, value = (
            torch.as_tensor(each).detach().double().cpu()
            for each in (expected, values[key])
        )
        scale = expected.abs().max().clamp_min(1e-3)
        error = float((value - expected).abs().max() / scale)
        # NaN is not within it either.
        if not error <= tolerance:
            raise Failure(f'{key} differs by {error:.0e}')
        worst = max(worst, error)
    return worst


def check_values(name: str, device: str) -> str:
    """Compare with double precision on the CPU."""
    pairs = zip(
        steps(name, device), steps(name, 'cpu', torch.float64), strict=True
    )
    worst = max(
        difference(ours.values(), reference.values(), ours.kind.tolerance)
        for ours, reference in pairs
    )
    return f'{worst:.0e}'


def check_mixed_precision(name: str, device: str, dtype: torch.dtype) -> str:
    """Train for three steps."""
    for step in steps(name, device):
        for _ in range(3):
            step.run_in_mixed_precision(dtype)
    return 'finite'


def check_waits(name: str, device: str) -> str:
    """Have the second step raise if it waits for the device."""
    if torch.device(device).type != 'cuda':
        return 'not on a CPU'
    for step in steps(name, device):
        step.run()
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode('error')
        try:
            step.run()
        finally:
            torch.cuda.set_sync_debug_mode('default')
    return 'none'


def check_metric(name: str, device: str) -> str:
    """Compare with double precision on the CPU."""
    reference = metric_values(name, 'cpu', torch.float64)
    values = metric_values(name, device, torch.float32)
    return f'{difference(values, reference):.0e}'


def metric_values(name: str, device: str, dtype: torch.dtype) -> dict:
    """What the metric makes of samples on the device."""
    config_in, samples = case_of(name, METRIC_CASES)
    torch.manual_seed(0)
    with TemporaryDirectory() as folder:
        config = config_in(Path(folder))
        metric = METRICS.build(dict(type=f'mmlt.{name}', **config))
        if isinstance(metric, ClassStatsReceiver):
            metric.set_class_stats(STATS)
        metric.process({}, move(samples(), device, dtype))
        result = metric.evaluate(B)
        if 'out_file' in config:
            content = torch.load(config['out_file'])
            parts = [content, *content.get('images', [])]
            result = {
                f'{key} {index}': value
                for index, part in enumerate(parts)
                for key, value in part.items()
                if isinstance(value, torch.Tensor)
            }
    return result


def check_distributed(device: str) -> str:
    """Three steps with one rank, beside three without."""
    on_gpu = torch.device(device).type == 'cuda'
    with TemporaryDirectory() as folder:
        torch.distributed.init_process_group(
            'nccl' if on_gpu else 'gloo',
            init_method=f'file://{folder}/rendezvous',
            rank=0,
            world_size=1,
        )
        try:
            parallel = train(device, MMDistributedDataParallel)
        finally:
            torch.distributed.destroy_process_group()
    alone = train(device, lambda model: model)
    tolerance = MODEL_CASES['BBNClassifier'].kind.tolerance
    return f'{difference(parallel, alone, tolerance):.0e}'


def train(device: str, wrap: Callable) -> dict:
    """Losses and weights of a small classifier."""
    torch.manual_seed(0)
    _, (config,) = MODEL_CASES['BBNClassifier']
    loss = dict(type='mmlt.LogitAdjustedLoss', class_stats=STATS)
    config = {**config, 'head': {**config['head'], 'loss': loss}}
    model = MODELS.build(dict(type='mmlt.BBNClassifier', **config))
    wrapped = wrap(model.to(device).train())
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    samples = [DataSample().set_gt_label(k).to(device) for k in range(C)]
    images = torch.randint(256, (C, 3, 32, 32)).float().to(device)
    data = dict(inputs=images, data_samples=samples)
    losses = [wrapped.train_step(data, optimizer)['loss'] for _ in range(3)]
    values = [*losses, *model.parameters()]
    return {str(number): value for number, value in enumerate(values)}


def registered(registry: Registry) -> list[str]:
    """Names of all types of mmlt."""
    registry.import_from_location()
    return sorted(registry.module_dict)


def checks(device: str) -> Iterator[tuple[str, list[Callable[[], str]]]]:
    """Each part, and the checks of its row."""
    for name in registered(MODELS):
        yield (
            name,
            [
                partial(check_values, name, device),
                partial(check_mixed_precision, name, device, torch.float16),
                partial(check_mixed_precision, name, device, torch.bfloat16),
                partial(check_waits, name, device),
            ],
        )
    for name in registered(METRICS):
        yield name, [partial(check_metric, name, device)]
    yield 'DistributedDataParallel', [partial(check_distributed, device)]


def outcome(check: Callable[[], str]) -> str:
    """What the check says, or why it has failed."""
    try:
        return check()
    except Exception as error:
        reason = ' '.join(str(error).split())[:200].replace('|', '/')
        return f'FAILED: {type(error).__name__}: {reason}'


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--device', default='cuda')
    args = parser.parse_args()
    machine = 'CPU'
    if torch.device(args.device).type == 'cuda':
        machine = torch.cuda.get_device_name(args.device)
        # The products and convolutions of float32, as on the CPU.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    # Not of each warning that a small test set brings about.
    MMLogger.get_current_instance().setLevel('ERROR')
    print(f'{machine}, PyTorch {torch.__version__}\n')
    print('| Part | Difference | fp16 | bf16 | Waits |')
    print('|-|-|-|-|-|')
    failed = []
    for name, row in checks(args.device):
        cells = [outcome(check) for check in row]
        if any(cell.startswith('FAILED') for cell in cells):
            failed.append(name)
        cells += [''] * (4 - len(cells))
        print(f'| {name} | {" | ".join(cells)} |', flush=True)
    print()
    if failed:
        sys.exit(f'Failed: {", ".join(failed)}')


if __name__ == '__main__':
    main()
