"""The memory of OLTR, and its classifier. B batch, C classes, D features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mmlt.models.losses.base import in_full_precision

from .cosine_head import CosineLinear

# An image that is its class's centroid would be infinitely reachable.
NEAREST = 1e-6


class VisualMemory(nn.Module):
    r"""The dynamic meta-embedding of a feature x,

    .. math::
        v = \gamma (x + e \odot v_{memory}), \quad
        v_{memory} = \mathrm{softmax}(W_h x)\, C, \quad
        e = \tanh(W_s x), \quad
        \gamma = r / \min_k \lVert x - c_k \rVert

    with the class centroids C, which only the centroid loss moves.

    Args:
        num_classes (int): C.
        in_channels (int): D.
        reach (float): r.
    """

    def __init__(
        self, num_classes: int, in_channels: int, reach: float
    ) -> None:
        super().__init__()
        self.hallucinator = nn.Linear(in_channels, num_classes)
        self.selector = nn.Linear(in_channels, in_channels)
        unknown = torch.full((num_classes, in_channels), torch.nan)
        self.centroids = nn.Parameter(unknown)
        # Not a tensor, whose value a step would wait for.
        self.has_centroids = False
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (B, D) of features (B, D)."""
        centroids = self.centroids.detach()
        memory = self.hallucinator(x).softmax(1) @ centroids
        concept = self.selector(x).tanh()
        full = in_full_precision(x)
        distance = torch.cdist(full, centroids.to(full)).amin(1, keepdim=True)
        gamma = self.reach / distance.clamp(min=NEAREST)
        return gamma * (x + concept * memory)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        loaded = state_dict.get(f'{prefix}centroids')
        if loaded is not None and loaded.shape == self.centroids.shape:
            self.has_centroids = not bool(loaded.isnan().any())
        super()._load_from_state_dict(state_dict, prefix, *args)


class SquashedCosineLinear(CosineLinear):
    """``scale * |v| / (1 + |v|) * cos(v, weight of class)``."""

    def forward(self, v: Tensor) -> Tensor:
        """Logits (B, C) of embeddings (B, D)."""
        norm = v.norm(dim=1, keepdim=True)
        return norm / (1 + norm) * super().forward(v)
