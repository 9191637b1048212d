"""Optimiser wrappers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import autocast
from torch import nn

from mmlt.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Forward passes in bfloat16, also on a CPU.

    bfloat16 has the range of float32, so that gradients need no scaling;
    MMEngine's ``AmpOptimWrapper``, which brings a scaler, refuses a CPU. A
    CPU needs bfloat16 instructions (AVX-512 BF16, AMX) to gain from it.

    Example:
        >>> optim_wrapper = dict(
        ...     type='mmlt.BFloat16OptimWrapper',
        ...     optimizer=dict(type='SGD', lr=0.1),
        ... )
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of a forward pass and its loss."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
