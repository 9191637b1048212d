"""The line by which configs of users inherit from ours, in all documents."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FORM = "_base_ = [__import__('mmlt') and 'mmlt::{}']"
BASE = 'baselines/ce_resnet32_200e_cifar10-lt-if100.py'
CODE = """
import sys
import numpy as np
from mmengine.config import Config
from mmpretrain import ImageClassificationInferencer

assert 'mmlt' not in sys.modules
cfg = Config.fromfile('my_config.py')
assert cfg.model.head.num_classes == 10
inferencer = ImageClassificationInferencer(
    'my_config.py', pretrained=False, device='cpu'
)
(result,) = inferencer(np.zeros((32, 32, 3), np.uint8))
print('classes:', len(result['pred_scores']))
"""
PAGES = [
    ROOT / 'README.md',
    *(ROOT / 'docs').rglob('*.md'),
    *(ROOT / 'configs' / 'own_data').glob('*.md'),
    *(ROOT / 'configs' / 'caltech101').glob('*.md'),
]


def test_pages_print_the_form_that_opens_everywhere():
    lines = [
        line
        for page in PAGES
        for line in re.findall(
            r"^_base_ = .*'mmlt::.*$", page.read_text(), re.MULTILINE
        )
    ]
    assert len(lines) > 5
    for line in lines:
        base = line.partition('mmlt::')[2].removesuffix("']")
        assert line == FORM.format(base)
        assert (ROOT / 'configs' / base).is_file()


def test_form_opens_where_nothing_has_imported_mmlt(tmp_path):
    (tmp_path / 'my_config.py').write_text(FORM.format(BASE) + '\n')
    done = subprocess.run(
        [sys.executable, '-c', CODE],
        cwd=tmp_path,
        env={**os.environ, 'CUDA_VISIBLE_DEVICES': ''},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    assert 'classes: 10' in done.stdout
