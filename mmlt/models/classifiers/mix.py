"""One draw of mixing. B batch (images a sampler, if there are two)."""

from __future__ import annotations

from typing import Any

from torch import Tensor


class Mix:
    """One draw: where and how a batch is mixed.

    Args:
        place (str | int): One of the places of the classifier.
        lam (Tensor): 0-dim weight of the first of a pair.
        partner (Tensor | None): (B,) index of the second of each pair; None
            pairs the first half of the batch with the second.
    """

    def __init__(
        self, place: str | int, lam: Tensor, partner: Tensor | None
    ) -> None:
        self.place = place
        self.lam = lam
        self.partner = partner

    def pair(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The first and the second of all pairs, (B, ...) each."""
        if self.partner is None:
            return x.chunk(2)
        return x, x[self.partner]

    def __call__(self, x: Any) -> Any:
        """Mix a tensor, or all tensors of a list."""
        if not isinstance(x, Tensor):
            # Such as Swin's (tokens, shape).
            return type(x)(
                self(each) if isinstance(each, Tensor) else each for each in x
            )
        first, second = self.pair(x)
        return self.lam * first + (1 - self.lam) * second
