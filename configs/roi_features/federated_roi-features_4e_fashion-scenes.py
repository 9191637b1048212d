_base_ = './eqlv2_roi-features_4e_fashion-scenes.py'

model = dict(
    roi_head=dict(bbox_head=dict(loss_cls=dict(type='mmlt.FederatedLoss')))
)
