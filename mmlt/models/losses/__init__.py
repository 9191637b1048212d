from .bags_loss import BAGSLoss
from .base import BoxLoss, MultiLabelLoss, SoftmaxLoss
from .box_focal_loss import BoxFocalLoss
from .box_logit_adjusted_loss import BoxLogitAdjustedLoss
from .class_balanced_focal_loss import ClassBalancedFocalLoss
from .class_weighted_ce_loss import ClassWeightedCELoss
from .distribution_balanced_loss import (
    DistributionBalancedLoss,
    distribution_balanced_loss,
    negative_tolerant_bias,
    rebalanced_weight,
)
from .ecm_loss import ECMLoss
from .efl_loss import EFLLoss
from .eql_loss import EQLLoss
from .eqlv2_loss import EQLv2Loss
from .federated_loss import FederatedLoss
from .focal_bce import focal_bce
from .group_softmax import bags_loss
from .ldam_loss import LDAMLoss
from .logit_adjusted_loss import LogitAdjustedLoss, logit_adjusted_loss
from .multi_label_ldam_loss import MultiLabelLDAMLoss
from .multi_label_logit_adjusted_loss import (
    MultiLabelLogitAdjustedLoss,
    log_odds,
)
from .pairwise_margin_loss import (
    PairwiseMarginLoss,
    is_fisher_consistent,
    pairwise_margin_loss,
)
from .reweighted_bce_loss import ReweightedBCELoss
from .seesaw_loss import SeesawLoss, seesaw_loss
from .sigmoid_seesaw_loss import SigmoidSeesawLoss
from .softmax_focal_loss import SoftmaxFocalLoss, softmax_focal_loss
from .vs_loss import VSLoss

__all__ = [
    'BAGSLoss',
    'BoxFocalLoss',
    'BoxLogitAdjustedLoss',
    'BoxLoss',
    'ClassBalancedFocalLoss',
    'ClassWeightedCELoss',
    'DistributionBalancedLoss',
    'ECMLoss',
    'EFLLoss',
    'EQLLoss',
    'EQLv2Loss',
    'FederatedLoss',
    'LDAMLoss',
    'LogitAdjustedLoss',
    'MultiLabelLDAMLoss',
    'MultiLabelLogitAdjustedLoss',
    'MultiLabelLoss',
    'PairwiseMarginLoss',
    'ReweightedBCELoss',
    'SeesawLoss',
    'SigmoidSeesawLoss',
    'SoftmaxFocalLoss',
    'SoftmaxLoss',
    'VSLoss',
    'bags_loss',
    'distribution_balanced_loss',
    'focal_bce',
    'is_fisher_consistent',
    'log_odds',
    'logit_adjusted_loss',
    'negative_tolerant_bias',
    'pairwise_margin_loss',
    'rebalanced_weight',
    'seesaw_loss',
    'softmax_focal_loss',
]
