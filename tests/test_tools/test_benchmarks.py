"""The benchmarks run, and compare what they say."""

import copy
import itertools
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import config

from mmlt.registry import METRICS, MODELS

is_installed = cache(config.is_installed)
FOLDER = Path(__file__).parents[2] / 'tools' / 'benchmarks'


@pytest.fixture(autouse=True)
def _one_thread():
    """The benchmarks set the number of threads of the process."""
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


@pytest.fixture(autouse=True)
def _look_up_packages_once(monkeypatch):
    # Each base `mmdet::...` does it anew, most of the time a config takes.
    monkeypatch.setattr(config, 'is_installed', is_installed)


@pytest.fixture
def timing(load_tool):
    return load_tool('benchmarks/timing.py')


@pytest.fixture
def accelerator(load_tool):
    return load_tool('benchmarks/accelerator.py')


def test_contestants_take_turns(timing, monkeypatch):
    now, calls = [0.0], []
    clock = SimpleNamespace(process_time=lambda: now[0])
    monkeypatch.setattr(timing, 'time', clock)

    def lasting(name, *seconds):
        lengths = itertools.chain([100.0], itertools.cycle(seconds))

        def call():
            calls.append(name)
            now[0] += next(lengths)

        return call

    result = timing.compare(
        {'a': lasting('a', 1.0, 2.0), 'b': lasting('b', 3.0, 2.0)}, 4
    )
    assert ''.join(calls) == 'abbaabbaab'
    # In the turns that count, 3 and 1 in turn.
    assert result['a'] == (1.5, 1.0, 0.0)
    assert result['b'] == (2.5, 2.0, 2.0)
    assert result['b'].times(10) == (25.0, 20.0, 20.0)


@pytest.mark.parametrize(
    ('model', 'losses'),
    [
        (
            'resnet32',
            [
                'LogitAdjustedLoss',
                'PairwiseMarginLoss',
                'ClassWeightedCELoss',
                'LDAMLoss',
                'SoftmaxFocalLoss',
                'VSLoss',
            ],
        ),
        ('resnet50', ['LogitAdjustedLoss', 'PairwiseMarginLoss']),
        (
            'resnet50-pfc',
            [
                'DistributionBalancedLoss',
                'ClassBalancedFocalLoss',
                'ReweightedBCELoss',
            ],
        ),
        *(
            (
                model,
                [
                    'BAGSLoss',
                    'EQLLoss',
                    'EQLv2Loss',
                    'SeesawLoss',
                    'LogitAdjustedLoss',
                ],
            )
            for model in ('faster-rcnn', 'faster-rcnn-classifier')
        ),
    ],
)
def test_train_step(model, losses, run_tool, capsys):
    run_tool(
        'benchmarks/train_step.py',
        *('--model', model, '--batch', 2, '--turns', 1),
    )
    rows = table(capsys.readouterr().out)
    assert [(row[0], row[2]) for row in rows] == [(model, x) for x in losses]
    for row in rows:
        assert float(row[5]) > 0
        assert float(row[7]) == (1.05 if row[2] == 'BAGSLoss' else 1.02)


def table(text):
    """The cells of a Markdown table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith('|')]
    return [line.strip('| ').split(' | ') for line in lines[2:]]


def test_train_step_compares_two_losses_in_one_model(load_tool):
    tool = load_tool('benchmarks/train_step.py')
    # Its configs are those of faster-rcnn.
    del tool.BENCHMARKS['faster-rcnn-classifier']
    for name, benchmark in tool.BENCHMARKS.items():
        for loss, given in benchmark.losses.items():
            stock, ours = (
                benchmark.config(benchmark.stocks.get(loss, benchmark.stock)),
                benchmark.config(given),
            )
            losses = [pop_loss(cfg.model) for cfg in (stock, ours)]
            assert losses[1].type == f'mmlt.{loss}', name
            assert not losses[0].type.startswith('mmlt.'), name
            assert stock.model == ours.model, name
            assert stock.optim_wrapper == ours.optim_wrapper, name


def pop_loss(model):
    if 'head' in model:
        return model.head.pop('loss')
    head = model.roi_head.bbox_head
    # That of BAGS is the stock one, for this loss.
    del head['type']
    return head.pop('loss_cls')


def test_check_fails_above_the_limit(load_tool, monkeypatch, capsys):
    tool = load_tool('benchmarks/train_step.py')
    slow = {
        'stock': tool.Timing(1.0, 1.0, 0.0),
        'ours': tool.Timing(1.03, 1.03, 0.0),
    }
    monkeypatch.setattr(tool, 'run', lambda *args: [('EQLLoss', slow)])
    monkeypatch.setattr(
        sys, 'argv', ['train_step.py', '--model', 'faster-rcnn']
    )
    tool.main()
    monkeypatch.setattr(sys, 'argv', [*sys.argv, '--check'])
    with pytest.raises(SystemExit, match='EQLLoss in faster-rcnn'):
        tool.main()


def test_losses(run_tool, capsys):
    run_tool('benchmarks/losses.py', '--turns', 1)
    printed = capsys.readouterr().out
    for name in ('LogitAdjustedLoss', 'MultiLabelLDAMLoss', 'SeesawLoss'):
        assert name in printed
    assert 'B=8192, C=1203' in printed


def test_loss_share_step(run_tool, capsys):
    run_tool('benchmarks/loss_share_step.py', '--batch', 1, '--turns', 1)
    printed = capsys.readouterr().out
    assert '| faster-rcnn | 1 |' in printed
    assert '| retinanet | 1 |' in printed


def test_bbn_step(run_tool, capsys):
    run_tool('benchmarks/bbn_step.py', '--batch', 2, '--turns', 1)
    assert 'BBN step' in capsys.readouterr().out


def test_samplers(run_tool, capsys):
    run_tool(
        'benchmarks/samplers.py',
        *('--images', 500, '--classes', 20, '--scan-draws', 5, '--turns', 1),
    )
    assert 'linear scan' in capsys.readouterr().out


def test_accelerator_knows_everything_that_is_registered(load_tool):
    cases = load_tool('benchmarks/cases.py')
    for registry, known in (
        (MODELS, cases.MODEL_CASES),
        (METRICS, cases.METRIC_CASES),
    ):
        registry.import_from_location()
        assert set(known) == set(registry.module_dict)


def test_accelerator_fails_for_what_it_does_not_know(
    accelerator, monkeypatch, capsys
):
    def registered(registry):
        return ['NewLoss'] if registry is MODELS else []

    monkeypatch.setattr(accelerator, 'registered', registered)
    monkeypatch.setattr(sys, 'argv', ['accelerator.py', '--device', 'cpu'])
    with pytest.raises(SystemExit, match='Failed: NewLoss'):
        accelerator.main()
    assert 'has no entry in cases.py' in capsys.readouterr().out


def test_accelerator_notices_differences(accelerator):
    reference = {'loss': torch.tensor(2.0), 'gradient 0': torch.ones(3)}
    close = {**reference, 'loss': torch.tensor(2.0001)}
    assert accelerator.difference(close, reference) == pytest.approx(
        5e-5, rel=1e-2
    )
    for wrong in (2.001, torch.nan):
        values = {**reference, 'loss': torch.tensor(wrong)}
        with pytest.raises(accelerator.Failure, match='loss differs'):
            accelerator.difference(values, reference)
    with pytest.raises(accelerator.Failure, match='instead of'):
        accelerator.difference({'loss': torch.tensor(2.0)}, reference)


def test_accelerator_on_a_cpu(tmp_path):
    done = subprocess.run(
        ['bash', str(FOLDER / 'accelerator.sh')],
        env={
            **os.environ,
            'DEVICE': 'cpu',
            'OUT': str(tmp_path),
            'PYTHON': sys.executable,
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert not done.returncode, done.stdout + done.stderr
    assert (tmp_path / 'accelerator.md').read_text() == done.stdout
    assert '| LogitAdjustedLoss | ' in done.stdout
    assert '| DistributedDataParallel | ' in done.stdout
    assert '| resnet32 | 2 | PairwiseMarginLoss | ' in done.stdout


def test_soak_notices_differences(load_tool):
    soak = load_tool('benchmarks/soak.py')
    whole = dict(
        weights={'fc': torch.tensor([1.0, torch.nan])}, steps=[3, (1, 2)]
    )
    found = soak.differences
    assert not [*found('state', whole, copy.deepcopy(whole))]
    parts = copy.deepcopy(whole)
    parts['weights']['fc'][0] = 1 + 2**-23
    assert [*found('state', whole, parts)] == ['state.weights.fc']
    for other in ([3, (1, 3)], [4, (1, 2)], [3], [3, None]):
        assert len([*found('state', whole, {**whole, 'steps': other})]) == 1
    assert [*found('state', whole, dict(steps=whole['steps']))]
