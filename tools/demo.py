"""The main job on real images: two methods, a table and a figure.

    make demo

Trains and tests long-tailed Fashion-MNIST through ``mim``, once with cross
entropy and once with the logit-adjusted loss, both with the same seed.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from mmengine.config import Config
from rich.console import Console
from rich.table import Table

from mmlt.analysis.per_class_accuracy import draw_per_class_accuracy
from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import load_tensors
from mmlt.evaluation.functional import group_means, per_class_recall

METHODS = {
    'cross entropy': 'ce_resnet14-small_4e_fashion-mnist-lt-if100.py',
    'logit-adjusted loss': (
        'logit-adjusted_resnet14-small_4e_fashion-mnist-lt-if100.py'
    ),
}
MIM = Path(sys.executable).with_name('mim')


def run(command: list[str], log: Path) -> None:
    """Run ``mim``, show its progress lines and keep the rest in ``log``."""
    print('$ mim', *command, flush=True)
    process = subprocess.Popen(
        [str(MIM), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, 'PYTHONUNBUFFERED': '1'},
    )
    with log.open('w') as file:
        for line in process.stdout:
            file.write(line)
            if 'Epoch(' in line:
                print('  ' + line.split(' - INFO - ')[-1], end='', flush=True)
    if process.wait():
        tail = ''.join(log.read_text().splitlines(keepends=True)[-20:])
        sys.exit(f'{tail}\nThe command above failed; its output is in {log}')


def train_and_test(config: str, seed: int, folder: Path) -> Path:
    """Returns the file with the logits of the test set."""
    folder.mkdir(parents=True, exist_ok=True)
    common = ['mmlt', config, '--work-dir', str(folder)]
    options = ['--cfg-options', f'randomness.seed={seed}']
    run(['train', *common, *options], folder / 'train.log')
    checkpoint = (folder / 'last_checkpoint').read_text().strip()
    logits = folder / 'test_logits.pt'
    options = ['--checkpoint', checkpoint, '--dump-logits', str(logits)]
    run(['test', *common, *options], folder / 'test.log')
    return logits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--work-dir', type=Path, default='work_dirs/demo')
    args = parser.parse_args()

    start = time.time()
    table = Table(title='Fashion-MNIST-LT, IF 100, balanced test set (%)')
    table.add_column('method')
    for name in ('balanced', 'many', 'medium', 'few'):
        table.add_column(name, justify='right')
    accuracies = {}
    for method, config in METHODS.items():
        folder = args.work_dir / Path(config).stem
        logits = train_and_test(config, args.seed, folder)
        cfg = Config.fromfile(folder / config)
        checkpoint = (folder / 'last_checkpoint').read_text().strip()
        stats = ClassStats.from_checkpoint(load_tensors(checkpoint))
        dump = load_tensors(logits)
        labels = dump['labels'].numpy()
        hits = dump['logits'].argmax(dim=1).numpy() == labels
        recall = 100 * per_class_recall(hits, labels, stats.num_classes)
        groups = stats.groups(cfg.val_evaluator.thresholds)
        few, medium, many = group_means(recall, groups, 3)
        table.add_row(
            method,
            *(f'{x:.1f}' for x in (recall.mean(), many, medium, few)),
        )
        accuracies[method] = recall
    figure = args.work_dir / 'per_class_accuracy.png'
    draw_per_class_accuracy(stats, accuracies, figure)
    Console(width=100).print(table)
    print(f'Figure: {figure}')
    print(f'Training and testing took {time.time() - start:.0f} s.')


if __name__ == '__main__':
    main()
