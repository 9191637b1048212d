"""What tests in several folders share."""

import gzip
import os
import struct

import numpy as np
import pytest
import torch

# The machine's cores are shared by the test workers, and by the processes
# that some tests start.
os.environ['OMP_NUM_THREADS'] = '1'
os.environ.setdefault('MPLBACKEND', 'agg')
torch.set_num_threads(1)

IDX_SPLITS = {'train': 'train', 'test': 't10k'}


def _write_idx(folder, split, labels, packed=False):
    """The two idx files of one split, 28 x 28 random images."""
    labels = np.asarray(labels, dtype=np.uint8)
    images = np.random.default_rng(0).integers(
        0, 256, (len(labels), 28, 28), dtype=np.uint8
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in (
        ('images-idx3-ubyte', images),
        ('labels-idx1-ubyte', labels),
    ):
        header = struct.pack(
            f'>I{array.ndim}I', 0x800 + array.ndim, *array.shape
        )
        path = folder / f'{IDX_SPLITS[split]}-{name}'
        data = header + array.tobytes()
        if packed:
            path.with_name(f'{path.name}.gz').write_bytes(gzip.compress(data))
        else:
            path.write_bytes(data)


@pytest.fixture(scope='session')
def write_idx():
    return _write_idx
