"""The tools for classification, where MMDetection is not installed."""

import subprocess
import sys
from pathlib import Path

import numpy as np

TOOLS = Path(__file__).parents[2] / 'tools'
# Run the tools that are named, one a line, with their arguments.
CODE = """
import runpy
import sys

ABSENT = {'mmdet', 'mmcv._ext', 'hotcoco', 'pycocotools', 'lvis'}


class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *args):
        return None if name in ABSENT else self.finder.find_spec(name, *args)

    def __getattr__(self, name):
        return getattr(self.finder, name)


sys.meta_path[:] = map(Without, sys.meta_path)
for line in sys.stdin.read().splitlines():
    path, *arguments = line.split()
    sys.argv = [path, *arguments]
    sys.path.insert(0, path.rpartition('/')[0])
    try:
        runpy.run_path(path, run_name='__main__')
    except SystemExit as error:
        assert not error.code
"""
CONFIG = """
default_scope = 'mmpretrain'
train_dataloader = dict(
    dataset=dict(
        type='mmlt.COCOMLT',
        data_root='scenes',
        ann_file='annotations/fashion_scenes_train.json',
        ids='coco_mlt.json'))
"""


def test_tools_run(tmp_path, write_idx):
    for split in ('train', 'test'):
        write_idx(tmp_path / 'fashion_mnist', split, np.arange(40) % 10)
    (tmp_path / 'config.py').write_text(CONFIG)
    lines = [
        'dataset_converters/fashion_scenes.py --source fashion_mnist'
        ' --out scenes --no-masks --num-train 40 --num-val 20 --least-val 1',
        'dataset_converters/multi_label_lt.py coco scenes --ann-file'
        ' annotations/fashion_scenes_train.json --max-count 9 --min-count 1',
        'analysis_tools/class_stats.py config.py',
        'analysis_tools/sampling_probability.py config.py',
        'analysis_tools/negative_gradients.py',
    ]
    done = subprocess.run(
        [sys.executable, '-c', CODE],
        cwd=tmp_path,
        input='\n'.join(f'{TOOLS}/{line}' for line in lines),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert not done.returncode, done.stderr
    assert '40 images' in done.stdout
    assert (tmp_path / 'class_stats.json').is_file()
