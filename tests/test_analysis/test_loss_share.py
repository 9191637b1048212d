import json

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mmlt.analysis.loss_share import (
    draw_loss_shares,
    load_loss_shares,
    summarize,
)


def write(path, rows, bounds=(1024, 9216), epochs=None, start=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [dict(bounds=bounds)]
    epochs = epochs or [1] * len(rows)
    for index, (row, epoch) in enumerate(zip(rows, epochs, strict=True)):
        lines.append(dict(iter=start + index, epoch=epoch, box=row))
    path.write_text('\n'.join(map(json.dumps, lines)) + '\n')
    return path


ROWS = [[1, 1, 2], [0, 0, 0], [0, 3, 1], [0.5, 0.5, 9]]


def test_shares_and_their_means(tmp_path):
    path = write(tmp_path / 'loss_shares.jsonl', ROWS, epochs=[1, 1, 2, 2])
    shares = load_loss_shares(path)
    expected = [
        [0.25, 0.25, 0.5],
        [np.nan] * 3,
        [0, 0.75, 0.25],
        [0.05, 0.05, 0.9],
    ]
    assert_allclose(shares.share, expected)
    assert shares.sizes == ['small', 'medium', 'large']
    epochs, means = shares.by()
    assert_array_equal(epochs, [1, 2])
    assert_allclose(means, [[0.25, 0.25, 0.5], [0.025, 0.4, 0.575]])
    small, medium, large = summarize(shares)
    assert small['size'] == 'small'
    assert small['mean'] == pytest.approx(0.1)
    assert small['median'] == pytest.approx(0.05)
    assert small['below'] == pytest.approx(2 / 3)
    assert medium['below'] == pytest.approx(1 / 3)
    assert large['below'] == 0


def test_resumed_runs_go_on(tmp_path):
    write(tmp_path / '20260101' / 'loss_shares.jsonl', ROWS)
    write(tmp_path / '20260102' / 'loss_shares.jsonl', [[1, 0, 0]], start=3)
    # Ended before its first log.
    write(tmp_path / '20260103' / 'loss_shares.jsonl', [])
    shares = load_loss_shares(tmp_path)
    assert_allclose(shares.share[:, 0], [0.25, np.nan, 1])


def test_runs_without_epochs_go_by_tenths(tmp_path):
    path = write(tmp_path / 'loss_shares.jsonl', ROWS * 5)
    shares = load_loss_shares(path)
    assert not shares.by_epoch
    assert_array_equal(shares.epoch, np.repeat(range(1, 11), 2))


def test_epoch_without_a_positive(tmp_path):
    path = write(tmp_path / 'x.jsonl', ROWS[:2], epochs=[1, 2])
    _, means = load_loss_shares(path).by()
    assert_allclose(means, [[0.25, 0.25, 0.5], [np.nan] * 3])


def test_figure(tmp_path):
    runs = {}
    for index in range(2):
        path = write(tmp_path / f'{index}.jsonl', ROWS[index:] * 5)
        runs[f'run {index}'] = load_loss_shares(path)
    draw_loss_shares(runs, tmp_path / 'a.png')
    one = {'run 0': runs['run 0']}
    draw_loss_shares(one, tmp_path / 'b.png', 'cls')
    images = [cv2.imread(str(tmp_path / name)) for name in ('a.png', 'b.png')]
    assert all(image.std() > 10 for image in images)
    assert images[0].shape[1] == images[1].shape[1]


def test_bad_input(tmp_path):
    with pytest.raises(FileNotFoundError, match='LossShareHook'):
        load_loss_shares(tmp_path)
    path = write(tmp_path / 'a' / 'loss_shares.jsonl', ROWS)
    with pytest.raises(ValueError, match=r"measured, \['box'\], got 'cls'"):
        load_loss_shares(path, 'cls')
    other = write(tmp_path / 'b' / 'loss_shares.jsonl', [[1, 0]], bounds=[4])
    with pytest.raises(ValueError, match='other bounds'):
        load_loss_shares(tmp_path)
    runs = {'a': load_loss_shares(path), 'b': load_loss_shares(other)}
    with pytest.raises(ValueError, match='other bounds'):
        draw_loss_shares(runs, tmp_path / 'x.png')
    empty = write(tmp_path / 'c' / 'loss_shares.jsonl', [])
    with pytest.raises(ValueError, match='loss must be one'):
        load_loss_shares(empty)
