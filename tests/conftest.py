"""What tests in several folders share."""

import gzip
import os
import struct
from datetime import timedelta
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

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


@pytest.fixture(autouse=True)
def _no_default_scope_of_another_test():
    """A runner sets the default scope of the process, and leaves it."""
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture
def run_onnx(tmp_path):
    """Export a model, and return what onnxruntime computes with it."""
    from onnxruntime import InferenceSession

    def run(model, inputs, example=None):
        path = tmp_path / 'model.onnx'
        example = (inputs,) if example is None else example
        torch.onnx.export(model, example, path, dynamo=True, verbose=False)
        session = InferenceSession(path)
        (feed,) = session.get_inputs()
        values = session.run(None, {feed.name: inputs.numpy()})
        return [torch.from_numpy(value) for value in values]

    return run


@pytest.fixture
def on_two_ranks(tmp_path):
    """Call ``function(rank, *args)`` in two processes of one gloo group.

    Returns what they return, or with ``fails=True`` what they raise.
    """

    def work(rank, function, args, queue):
        torch.distributed.init_process_group(
            'gloo',
            f'file://{tmp_path}/rendezvous',
            rank=rank,
            world_size=2,
            timeout=timedelta(seconds=60),
        )
        os.environ.update(RANK=str(rank), LOCAL_RANK='0', WORLD_SIZE='2')
        try:
            queue.put((rank, function(rank, *args), None))
        except Exception as error:
            queue.put((rank, None, f'{type(error).__name__}: {error}'))
        torch.distributed.destroy_process_group()

    def run(function, *args, fails=False):
        context = get_context('fork')
        queue = context.Queue()
        processes = [
            context.Process(target=work, args=(rank, function, args, queue))
            for rank in range(2)
        ]
        for process in processes:
            process.start()
        try:
            outcomes = sorted(
                (queue.get(timeout=120) for _ in processes),
                key=lambda outcome: outcome[0],
            )
        finally:
            for process in processes:
                process.join(timeout=10)
                process.kill()
        _, results, errors = zip(*outcomes, strict=True)
        if fails:
            return errors
        assert errors == (None, None)
        return results

    return run
