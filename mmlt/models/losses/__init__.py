from mmlt.compat import has_mmdet

from .bags_loss import BAGSLoss
from .box_focal_loss import BoxFocalLoss
from .class_balanced_focal_loss import ClassBalancedFocalLoss
from .distribution_balanced_loss import (
    DistributionBalancedLoss,
    distribution_balanced_loss,
    negative_tolerant_bias,
    rebalanced_weight,
)
from .eql_loss import EQLLoss
from .eqlv2_loss import EQLv2Loss
from .focal_log_likelihood import focal_log_likelihood
from .group_softmax import bags_loss
from .logit_adjusted_loss import LogitAdjustedLoss, logit_adjusted_loss
from .multi_label_ldam_loss import MultiLabelLDAMLoss
from .multi_label_loss import MultiLabelLoss
from .pairwise_margin_loss import (
    PairwiseMarginLoss,
    is_fisher_consistent,
    pairwise_margin_loss,
)
from .reweighted_bce_loss import ReweightedBCELoss

__all__ = [
    'BAGSLoss',
    'BoxFocalLoss',
    'ClassBalancedFocalLoss',
    'DistributionBalancedLoss',
    'EQLLoss',
    'EQLv2Loss',
    'LogitAdjustedLoss',
    'MultiLabelLDAMLoss',
    'MultiLabelLoss',
    'PairwiseMarginLoss',
    'ReweightedBCELoss',
    'bags_loss',
    'distribution_balanced_loss',
    'focal_log_likelihood',
    'is_fisher_consistent',
    'logit_adjusted_loss',
    'negative_tolerant_bias',
    'pairwise_margin_loss',
    'rebalanced_weight',
]

if has_mmdet():
    from .seesaw_loss import SeesawLoss

    __all__ += ['SeesawLoss']
