"""The notebooks run, on a few random images."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config

FOLDER = Path(__file__).parents[1] / 'docs' / 'notebooks'
COUNT = 100  # training images a class, before the tail is cut


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the code of a notebook, its shell commands left out."""
    monkeypatch.chdir(tmp_path)

    def run(name):
        cells = json.loads((FOLDER / f'{name}.ipynb').read_text())['cells']
        scope = {}
        for cell in cells:
            lines = cell['source'] if cell['cell_type'] == 'code' else []
            code = ''.join(line for line in lines if not line.startswith('!'))
            exec(code, scope)
        return scope

    return run


def test_long_tail_in_ten_minutes(run, write_idx, tmp_path, monkeypatch):
    data = tmp_path / 'data' / 'fashion_mnist'
    write_idx(data, 'train', list(range(10)) * COUNT)
    write_idx(data, 'test', list(range(10)) * 2)
    read = Config.fromfile

    def read_small(path, **kwargs):
        cfg = read(path, **kwargs)
        for stage in ('train', 'val', 'test'):
            cfg[f'{stage}_dataloader'].num_workers = 0
        cfg.test_evaluator.thresholds = cfg.val_evaluator.thresholds = (5, 50)
        cfg.train_dataloader.batch_size = 16
        return cfg

    monkeypatch.setattr(Config, 'fromfile', read_small)
    scope = run('long_tail_in_ten_minutes')
    assert len(scope['results']) == 3
    for metrics, recall in scope['results'].values():
        assert metrics['accuracy/balanced'] == pytest.approx(recall.mean())
    assert (tmp_path / 'per_class.png').stat().st_size > 5000
