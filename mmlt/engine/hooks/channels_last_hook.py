"""Keep the weights of convolutions in the order that they are read in."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmlt.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Use PyTorch's memory format ``channels_last`` for the model.

    Convolutions then compute, and hand on, images whose channels are
    neighbours in memory: faster on CPUs, and on GPUs in half precision.
    Nothing else changes, checkpoints neither.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the weights."""
        runner.model.to(memory_format=torch.channels_last)
