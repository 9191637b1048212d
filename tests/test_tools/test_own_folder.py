"""What configs/caltech101/README.md prints for a folder of one's own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import MODELS, init_default_scope
from PIL import Image

from mmlt.engine.launch import load_config

ROOT = Path(__file__).parents[2]
CHAPTER = (
    (ROOT / 'configs' / 'caltech101' / 'README.md')
    .read_text()
    .split('## Your own folder')[1]
)
COUNTS = {'ant': 9, 'bee': 4, 'cat': 2}


def test_chain_as_printed(tmp_path):
    rng = np.random.default_rng(0)
    for part, share in (('train', 1), ('test', 2)):
        for name, count in COUNTS.items():
            folder = tmp_path / 'data' / 'mine' / part / name
            folder.mkdir(parents=True)
            for k in range(count // share):
                image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
                Image.fromarray(image).save(folder / f'{k}.png')
    images, features = re.findall(r'```python\n(.*?)```', CHAPTER, re.DOTALL)
    for name, config in (('my_images', images), ('my_features', features)):
        assert config.startswith(f'# {name}.py')
        path = tmp_path / f'{name}.py'
        path.write_text(config.replace('=12', '=3'))
    with path.open('a') as file:
        file.write('\ntrain_cfg = dict(max_epochs=1, val_interval=1)\n')
    init_default_scope('mmpretrain')
    model = MODELS.build(load_config(str(tmp_path / 'my_images.py')).model)
    (tmp_path / 'work_dirs').mkdir()
    torch.save(
        {'state_dict': model.state_dict()},
        tmp_path / 'work_dirs' / 'lite0_imagenet.pth',
    )
    (tmp_path / 'tools').symlink_to(ROOT / 'tools')

    (commands,) = re.findall(r'```shell\n(.*?)```', CHAPTER, re.DOTALL)
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    done = subprocess.run(
        ['bash', '-ec', commands],
        cwd=tmp_path,
        env={**os.environ, 'PATH': path, 'CUDA_VISIBLE_DEVICES': ''},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
    assert 'features_train.npz: 15 x 1280' in done.stdout
    assert 'accuracy/balanced' in done.stdout
    assert (tmp_path / 'work_dirs' / 'my_features' / 'epoch_1.pth').is_file()
