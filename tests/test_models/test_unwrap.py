import itertools

import pytest
import torch
from mmengine.model import BaseModel, BaseTTAModel, MMDistributedDataParallel
from torch import nn

from mmlt.models.unwrap import unwrap


class Toy(BaseModel):
    """A model with a child of the name that wrappers use."""

    def __init__(self):
        super().__init__()
        self.module = nn.Linear(1, 1)

    def forward(self, inputs, mode='tensor'):
        return self.module(inputs)


class TestTime(BaseTTAModel):
    """The first of the predictions."""

    __test__ = False

    def merge_preds(self, data_samples_list):
        return data_samples_list[0]


WRAPPERS = {
    'compile': torch.compile,
    'distributed': MMDistributedDataParallel,
    'test_time': TestTime,
}


@pytest.fixture
def _one_process(tmp_path):
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures('_one_process')
@pytest.mark.parametrize(
    'names',
    [
        order
        for length in range(len(WRAPPERS) + 1)
        for order in itertools.permutations(WRAPPERS, length)
    ],
    ids='-'.join,
)
def test_any_order(names):
    model = wrapped = Toy()
    for name in names:
        wrapped = WRAPPERS[name](wrapped)
    assert unwrap(wrapped) is model


def test_data_parallel():
    model = Toy()
    assert unwrap(nn.DataParallel(model)) is model
