"""bfloat16 and channels-last memory, which make training on a CPU faster."""

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner
from torch import nn
from torch.testing import assert_close
from torch.utils.data import Dataset


class Images(Dataset):
    """Four images that do not change."""

    metainfo: dict = {}  # noqa: RUF012

    def __len__(self):
        return 4

    def __getitem__(self, index):
        image = torch.arange(3 * 8 * 8).view(3, 8, 8) * 0.01 + index
        return dict(inputs=image, label=index % 2)


class Model(BaseModel):
    """Notes the type and the order in memory of what a convolution returns."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 2)
        self.seen = []

    def forward(self, inputs, label, mode='loss'):
        maps = self.conv(inputs)
        last = maps.is_contiguous(memory_format=torch.channels_last)
        self.seen.append((maps.dtype, last))
        score = self.fc(self.norm(maps).mean((2, 3)))
        return dict(loss=nn.functional.cross_entropy(score.float(), label))


def train(folder, wrapper='OptimWrapper', hooks=(), **kwargs):
    runner = Runner(
        kwargs.pop('model', None) or Model(),
        str(folder),
        train_dataloader=dict(
            dataset=Images(),
            batch_size=4,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        ),
        optim_wrapper=dict(
            type=wrapper, optimizer=dict(type='SGD', lr=0.1, momentum=0.9)
        ),
        train_cfg=dict(by_epoch=True, max_epochs=3),
        custom_hooks=[dict(type=hook) for hook in hooks],
        experiment_name=folder.name,
        log_level='ERROR',
        **kwargs,
    )
    runner.train()
    return runner


@pytest.fixture(autouse=True)
def _no_environment_report(monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


def test_forward_passes_are_in_bfloat16(tmp_path):
    runner = train(tmp_path / 'bf16', 'mmlt.BFloat16OptimWrapper')
    assert {dtype for dtype, _ in runner.model.seen} == {torch.bfloat16}
    plain = train(tmp_path / 'fp32')
    assert {dtype for dtype, _ in plain.model.seen} == {torch.float32}
    state = runner.model.state_dict()
    assert state['conv.weight'].dtype == torch.float32
    assert_close(state, plain.model.state_dict(), rtol=0.05, atol=0.02)
    moments = runner.optim_wrapper.optimizer.state.values()
    assert {m['momentum_buffer'].dtype for m in moments} == {torch.float32}


def test_resumed_in_bfloat16(tmp_path):
    wrapper = 'mmlt.BFloat16OptimWrapper'
    whole = train(tmp_path / 'whole', wrapper)
    parts = tmp_path / 'parts'
    parts.mkdir()
    (parts / 'last_checkpoint').write_text(str(tmp_path / 'whole/epoch_1.pth'))
    resumed = train(parts, wrapper, resume=True)
    assert len(resumed.model.seen) == 2
    assert_close(
        resumed.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0
    )


def test_accumulates_gradients():
    model = Model()
    wrapper = OPTIM_WRAPPERS.build(
        dict(
            type='mmlt.BFloat16OptimWrapper',
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
            accumulative_counts=2,
        )
    )
    before = model.conv.weight.clone()
    data = dict(inputs=torch.rand(4, 3, 8, 8), label=torch.tensor([0, 1] * 2))
    for step in range(2):
        with wrapper.optim_context(model):
            loss = model(**data)['loss']
        wrapper.update_params(loss)
        assert model.conv.weight.equal(before) == (step == 0)


def test_channels_are_last(tmp_path):
    runner = train(tmp_path / 'last', hooks=['mmlt.ChannelsLastHook'])
    assert all(last for _, last in runner.model.seen)
    plain = train(tmp_path / 'first')
    assert not any(last for _, last in plain.model.seen)
    assert_close(runner.model.state_dict(), plain.model.state_dict())
    # Either resumes from the checkpoint of the other.
    model = Model()
    path = tmp_path / 'last' / 'epoch_3.pth'
    state = torch.load(path, weights_only=False)['state_dict']
    model.load_state_dict(state)
    assert_close(model.state_dict(), plain.model.state_dict())
