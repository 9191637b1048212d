_base_ = './ldam-drw_resnet50_90e_inaturalist2018.py'

train_cfg = dict(max_epochs=180)
param_scheduler = dict(milestones=[120, 160])
default_hooks = dict(reweight=dict(begin=120))
