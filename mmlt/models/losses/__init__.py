from .logit_adjusted_loss import LogitAdjustedLoss, logit_adjusted_loss

__all__ = ['LogitAdjustedLoss', 'logit_adjusted_loss']
