"""The only file that knows the stack below mmlt: versions, what is there."""

import functools
import inspect
from collections.abc import Callable
from importlib.util import find_spec
from pickle import UnpicklingError

import numpy as np
import torch
from mmengine.config import utils as config_utils
from mmengine.logging import HistoryBuffer


@functools.cache
def has_mmdet() -> bool:
    """Whether MMDetection is there, with the operators that it needs.

    Classification does without: mmcv-lite has no compiled operators.
    """
    return all(map(find_spec, ('mmdet', 'mmcv._ext')))


def apply() -> None:
    """Make mmlt's bases inheritable and checkpoints loadable."""
    # `_base_ = 'mmlt::...'` is resolved through this table, which lists
    # OpenMMLab's own packages only.
    config_utils.MODULE2PACKAGE.setdefault('mmlt', 'mmlt')
    _allow_checkpoint_globals()


def _allow_checkpoint_globals() -> None:
    """Let ``torch.load(weights_only=True)`` read MMEngine's checkpoints.

    The message hub of every checkpoint holds ``HistoryBuffer`` objects with
    NumPy arrays, which PyTorch >= 2.6 refuses by default. mmengine 0.10.7
    does not declare them; declaring what mmengine itself has declared does
    no harm.
    """
    if not hasattr(torch.serialization, 'add_safe_globals'):
        return
    multiarray = getattr(np, '_core', np.core).multiarray
    number_types = (
        np.bool_, np.int32, np.int64, np.uint8, np.float32, np.float64
    )  # fmt: skip
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            multiarray._reconstruct,
            multiarray.scalar,
            np.ndarray,
            np.dtype,
            *(type(np.dtype(number)) for number in number_types),
            # Under this name the buffers refer to their methods.
            (_statistics_method, 'builtins.getattr'),
        ]
    )


def _statistics_method(owner: type, name: str) -> Callable:
    """``getattr``, for what a ``HistoryBuffer`` holds and nothing else."""
    if owner is not HistoryBuffer or name.startswith('_'):
        raise UnpicklingError(f'refused to load the attribute {name!r}')
    return getattr(owner, name)


def normed_linear_scale() -> str:
    """Name of the scale of MMDetection's ``NormedLinear``.

    mmdet 3.3.0 misspells "temperature", onedl-mmdetection does not.
    """
    from mmdet.models.layers import NormedLinear

    names = inspect.signature(NormedLinear.__init__).parameters
    return next(name for name in names if name.startswith('temp'))
