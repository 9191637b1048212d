"""Schedules of the configs against the loops of the papers' code."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS, OPTIMIZERS, PARAM_SCHEDULERS

import mmlt
from mmlt.engine.schedules import progress

CONFIGS = Path(mmlt.__file__).parent / '.mim' / 'configs'


def bbn_rate(epoch):
    """BBN's WarmupMultiStepLR, epochs from 0."""
    factor = 0.01 ** ((epoch >= 120) + (epoch >= 160))
    if epoch < 5:
        done = epoch / 5
        factor *= 1 / 3 * (1 - done) + done
    return 0.1 * factor


def ldam_rate(epoch):
    """LDAM's adjust_learning_rate, which counts epochs from 1."""
    epoch = epoch + 1
    if epoch <= 5:
        return 0.1 * epoch / 5
    if epoch > 180:
        return 0.1 * 0.0001
    if epoch > 160:
        return 0.1 * 0.01
    return 0.1


@pytest.mark.parametrize(
    ('name', 'rate', 'nesterov'),
    [
        ('cifar_bs128_200e', bbn_rate, True),
        ('cifar-ldam_bs128_200e', ldam_rate, False),
    ],
)
def test_cifar_recipes_are_those_of_the_papers_code(name, rate, nesterov):
    cfg = Config.fromfile(CONFIGS / f'_base_/schedules/{name}.py')
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = OPTIMIZERS.build(
        dict(cfg.optim_wrapper.optimizer, params=[weight])
    )
    schedulers = [
        PARAM_SCHEDULERS.build(dict(scheduler, optimizer=optimizer))
        for scheduler in cfg.param_scheduler
    ]
    (group,) = optimizer.param_groups
    assert group['nesterov'] is nesterov
    assert (group['momentum'], group['weight_decay']) == (0.9, 2e-4)
    assert cfg.train_cfg.max_epochs == 200
    optimizer.step()
    for epoch in range(200):
        assert group['lr'] == pytest.approx(rate(epoch)), epoch
        for scheduler in schedulers:
            scheduler.step()


def alpha_hook(ablation):
    name = f'bbn-alpha-{ablation}_resnet32_200e_cifar10-lt-if50.py'
    cfg = Config.fromfile(CONFIGS / 'bbn' / name)
    return HOOKS.build(cfg.default_hooks.alpha)


def test_stages_of_bbn_part_at_epoch_120():
    hook = alpha_hook('step')
    alphas = [hook.schedule(progress(epoch, 200)) for epoch in range(200)]
    assert alphas == [1.0] * 120 + [0.0] * 80


def test_beta_of_bbn_is_drawn_for_each_batch():
    hook = alpha_hook('beta')
    assert not hook.by_epoch
    draws = {hook.schedule(progress(3, 200, k, 97)) for k in range(97)}
    assert len(draws) == 97
