_base_ = './rs_resnet50-pfc_8e_coco-mlt.py'

model = dict(
    head=dict(
        loss=dict(_base_.db_focal, rebalance=dict(mu=0.2), **_base_.class_mean)
    )
)
