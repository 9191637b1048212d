"""The model inside its wrappers."""

from __future__ import annotations

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def unwrap(model: nn.Module) -> nn.Module:
    """Take off ``torch.compile``, distributed and test-time wrappers.

    Args:
        model (nn.Module): Wrapped in any order, or not at all.
    """
    while True:
        if is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        elif hasattr(model, '_orig_mod'):
            model = model._orig_mod
        else:
            return model
