from .logit_adjusted_loss import LogitAdjustedLoss, logit_adjusted_loss
from .pairwise_margin_loss import (
    PairwiseMarginLoss,
    is_fisher_consistent,
    pairwise_margin_loss,
)

__all__ = [
    'LogitAdjustedLoss',
    'PairwiseMarginLoss',
    'is_fisher_consistent',
    'logit_adjusted_loss',
    'pairwise_margin_loss',
]
