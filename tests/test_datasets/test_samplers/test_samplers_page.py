"""docs/samplers.md lists every sampler, with a config that works."""

import re
from pathlib import Path

import pytest
from mmengine.runner import Runner

from mmlt.datasets import samplers

PAGE = (Path(__file__).parents[3] / 'docs' / 'samplers.md').read_text()
CONFIGS = re.findall(r'^\| `(dict\(.*?\))` \|', PAGE, re.MULTILINE)


def test_every_sampler_is_there():
    listed = re.findall(r"type='mmlt\.(\w+)'", ' '.join(CONFIGS))
    assert sorted([*listed, 'SharedStreamSampler']) == samplers.__all__
    assert '`SharedStreamSampler`' in PAGE


@pytest.mark.parametrize('config', CONFIGS)
def test_configs_work(label_dataset, config):
    config = eval(config)
    loader = dict(
        dataset=label_dataset([0, 0, 0, 0, 1, 1]),
        batch_size=3,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
    )
    batched = 'BatchSampler' in config['type']
    loader['batch_sampler' if batched else 'sampler'] = config
    batches = list(Runner.build_dataloader(loader, seed=0).batch_sampler)
    assert batches
    assert all(0 <= index < 6 for batch in batches for index in batch)
