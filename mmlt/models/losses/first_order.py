"""Guard of the autograd functions that write their own gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch


def first_order(backward: Callable) -> Callable:
    """Make the backward of an autograd function refuse ``create_graph``.

    Such a gradient has no graph, so that a gradient penalty would silently
    learn from a constant. ``torch.autograd.function.once_differentiable``
    returns that constant if the incoming gradient is one, as that of a loss
    is, and takes a tenth of the step of a small loss.

    Raises:
        RuntimeError: In the backward pass, if it is asked for a graph.
    """

    @functools.wraps(backward)
    def checked(ctx, *grads):
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            raise RuntimeError(
                'this loss has no second derivative: leave out '
                'create_graph=True, or use a loss of torch.nn.functional '
                'where the gradient itself is trained'
            )
        return backward(ctx, *grads)

    return checked
