"""Numbers and switches of every model are checked when it is built."""

import math

import numpy as np
import pytest
from mmengine.registry import MODELS, TASK_UTILS

from mmlt.checks import check_number, check_size, check_switch

BASES = {
    'BAGSBBoxHead': dict(num_classes=3),
    'BAGSHead': dict(num_classes=3, in_channels=4),
    'BBNHead': dict(num_classes=3, in_channels=4),
    'CIFARResNet': dict(depth=20),
    'PFC': dict(in_channels=4),
}
LOSSES = (
    'BAGSLoss',
    'BoxFocalLoss',
    'BoxLogitAdjustedLoss',
    'ClassBalancedFocalLoss',
    'DistributionBalancedLoss',
    'ECMLoss',
    'EFLLoss',
    'EQLLoss',
    'EQLv2Loss',
    'FederatedLoss',
    'LogitAdjustedLoss',
    'MultiLabelLDAMLoss',
    'PairwiseMarginLoss',
    'ReweightedBCELoss',
    'SeesawLoss',
    'SigmoidSeesawLoss',
)
SIGMOID_LOSSES = (
    'BoxFocalLoss',
    'BoxLogitAdjustedLoss',
    'ECMLoss',
    'EFLLoss',
    'EQLLoss',
    'EQLv2Loss',
    'FederatedLoss',
    'SigmoidSeesawLoss',
)
BOX_LOSSES = ('BAGSLoss', 'SeesawLoss', *SIGMOID_LOSSES)
NUMBERS = [
    *((loss, 'loss_weight') for loss in LOSSES),
    *((loss, 'num_classes') for loss in BOX_LOSSES),
    ('BAGSBBoxHead', 'cosine_scale'),
    ('BAGSBBoxHead', 'num_classes'),
    ('BAGSHead', 'in_channels'),
    ('BAGSHead', 'num_classes'),
    ('BAGSLoss', 'others_ratio'),
    ('BBNHead', 'in_channels'),
    ('BBNHead', 'num_classes'),
    ('BBNHead', 'train_scale'),
    ('BoxFocalLoss', 'alpha'),
    ('BoxFocalLoss', 'gamma'),
    ('CIFARResNet', 'base_channels'),
    ('CIFARResNet', 'drop_path_rate'),
    ('CIFARResNet', 'in_channels'),
    ('ClassBalancedFocalLoss', 'beta'),
    ('EFLLoss', 'alpha'),
    ('EFLLoss', 'gamma'),
    ('EFLLoss', 'scale'),
    ('EQLLoss', 'frequency'),
    ('EQLv2Loss', 'alpha'),
    ('EQLv2Loss', 'gamma'),
    ('EQLv2Loss', 'mu'),
    ('EfficientNetLite0', 'drop_path_rate'),
    ('EfficientNetLite0', 'frozen_stages'),
    ('FederatedLoss', 'num_sampled'),
    ('FederatedLoss', 'power'),
    ('LogitAdjustedLoss', 'background'),
    ('MultiLabelLDAMLoss', 'max_margin'),
    ('MultiLabelLDAMLoss', 'scale'),
    ('PFC', 'dropout'),
    ('PFC', 'in_channels'),
    ('PFC', 'out_channels'),
    ('PairwiseMarginLoss', 'background'),
    ('ReweightedBCELoss', 'power'),
    ('SeesawLoss', 'eps'),
    ('SeesawLoss', 'p'),
    ('SeesawLoss', 'q'),
    ('SigmoidSeesawLoss', 'eps'),
    ('SigmoidSeesawLoss', 'p'),
    ('SigmoidSeesawLoss', 'q'),
]
SWITCHES = [
    *((loss, 'use_sigmoid') for loss in SIGMOID_LOSSES),
    ('BAGSHead', 'cal_acc'),
    ('BAGSLoss', 'background_group'),
    ('BAGSLoss', 'others'),
    ('BBNHead', 'bias'),
    ('BBNHead', 'cal_acc'),
    ('CIFARResNet', 'norm_eval'),
    ('CIFARResNet', 'with_cp'),
    ('CIFARResNet', 'zero_init_residual'),
    ('EfficientNetLite0', 'norm_eval'),
    ('SeesawLoss', 'return_dict'),
    ('SeesawLoss', 'use_sigmoid'),
]
WRONG = (True, math.nan, math.inf, -math.inf, -1, '1', [1.0])


def build(name, **arguments):
    config = {'type': f'mmlt.{name}', **BASES.get(name, {}), **arguments}
    return MODELS.build(config)


@pytest.mark.parametrize('value', WRONG, ids=str)
@pytest.mark.parametrize(('name', 'argument'), NUMBERS)
def test_numbers(name, argument, value):
    with pytest.raises((TypeError, ValueError), match=f'{argument}.*must be'):
        build(name, **{argument: value})


@pytest.mark.parametrize('value', [0, 1, 'False', 1.0, [True]], ids=str)
@pytest.mark.parametrize(('name', 'argument'), SWITCHES)
def test_switches(name, argument, value):
    message = f'{argument} must be True or False, got'
    with pytest.raises(TypeError, match=message):
        build(name, **{argument: value})


@pytest.mark.parametrize('name', ['LogitAdjustedLoss', 'PairwiseMarginLoss'])
@pytest.mark.parametrize('argument', ['by', 'zero_count', 'background'])
def test_policies_of_the_prior(name, argument):
    with pytest.raises(ValueError, match=f'{argument} must be'):
        build(name, **{argument: 'none'})


@pytest.mark.parametrize(
    ('arguments', 'error', 'match'),
    [
        (dict(tau=True), ValueError, 'tau must be a finite number, got True'),
        (dict(reference=True), ValueError, 'reference must be'),
        (dict(keep_bias=1), TypeError, 'keep_bias must be True or False'),
    ],
)
def test_edits(arguments, error, match):
    with pytest.raises(error, match=match):
        TASK_UTILS.build(dict(type='mmlt.TauNorm', **arguments))


def test_margins_hold_numbers():
    with pytest.raises(TypeError, match='alpha and delta must hold numbers'):
        build('PairwiseMarginLoss', preset=None, alpha=['1', '2'])


def test_numbers_of_numpy_are_numbers():
    assert check_number('x', np.float32(0.5)) == 0.5
    assert check_size('n', np.int64(3)) == 3
    assert build('EQLv2Loss', loss_weight=0, gamma=np.int64(2)).gamma == 2
    for wrong in (np.True_, 2.0):
        with pytest.raises(TypeError, match='n must be a whole number'):
            check_size('n', wrong)
    assert check_switch('on', False) is False
