"""The chain that docs/posthoc.md prints, on three classes of a few images."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt.class_stats import ClassStats

ROOT = Path(__file__).parents[2]
CHAPTER = (
    (ROOT / 'docs' / 'posthoc.md').read_text().split('## Choosing tau')[1]
)
HELD_OUT, TAU_NORM = re.findall(r'```python\n(.*?)```', CHAPTER, re.DOTALL)
COMMANDS = re.findall(r'```shell\n(.*?)```', CHAPTER, re.DOTALL)
COUNTS = {'ant': 14, 'bee': 5, 'cat': 2}
# README's, with plain cross entropy, small and for one epoch.
MY_CONFIG = """
_base_ = ['mmlt::baselines/ce_resnet50_90e_imagenet-lt.py']

data = dict(type='CustomDataset', data_root='data/mine', ann_file='')
loader = dict(batch_size=8, num_workers=0, persistent_workers=False)
train_dataloader = dict(**loader, dataset=dict(**data, data_prefix='train'))
val_dataloader = dict(**loader, dataset=dict(**data, data_prefix='val'))
test_dataloader = val_dataloader
data_preprocessor = dict(num_classes=3)
model = dict(
    backbone=dict(depth=18), head=dict(in_channels=512, num_classes=3)
)
train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = []
"""


def run(folder, commands):
    """Run what is printed in a shell; return what that prints."""
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    done = subprocess.run(
        ['bash', '-ec', commands.replace('epoch_90.pth', 'epoch_1.pth')],
        cwd=folder,
        env={**os.environ, 'PATH': path, 'CUDA_VISIBLE_DEVICES': ''},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def folder(tmp_path):
    for split, counts in (
        ('train', COUNTS),
        ('val', dict.fromkeys(COUNTS, 1)),
    ):
        for name, count in counts.items():
            images = tmp_path / 'data' / 'mine' / split / name
            images.mkdir(parents=True)
            for k in range(count):
                image = np.full((40, 50, 3), 10 * k, dtype=np.uint8)
                Image.fromarray(image).save(images / f'{k}.png')
    (tmp_path / 'tools').symlink_to(ROOT / 'tools')
    (tmp_path / 'my_config.py').write_text(MY_CONFIG)
    (tmp_path / 'held_out.py').write_text(HELD_OUT)
    return tmp_path


def test_chain_as_printed(folder):
    text = run(folder, COMMANDS[0])
    assert 'Best tau: ' in text
    assert re.search(r'│ +1 │', text)
    # 1 of 14, 1 of 5 and 1 of 2 are held out.
    stats = ClassStats.from_any(folder / 'work_dirs/held_out/epoch_1.pth')
    assert stats.image_count.tolist() == [13, 4, 1]
    dump = torch.load(folder / 'held_out.pt', weights_only=True)
    assert dump['labels'].tolist() == [0, 1, 2]
    assert dump['split'] == 'train'
    sweep = json.loads((folder / 'work_dirs/sweep/tau_sweep.json').read_text())
    assert len(sweep['taus']) == 41
    assert (folder / 'work_dirs/sweep/tau_sweep.png').is_file()
    # Tau-norm needs a test for each of its taus.
    (folder / 'held_out.py').write_text(HELD_OUT + TAU_NORM)
    text = run(folder, COMMANDS[1])
    assert "edits=[\n            dict(tau=0.5, type='mmlt.TauNorm')," in text
    assert 'accuracy/balanced' in text
