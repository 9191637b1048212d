_base_ = './rs_resnet50-pfc_8e_voc-mlt.py'

model = dict(
    head=dict(
        loss=dict(_base_.db_focal, ntr=dict(scale=5.0), **_base_.class_mean)
    )
)
