_base_ = [
    '../baselines/ncm-fc_faster-rcnn_r18-small_fpn_1e_fashion-scenes.py',
    '../_base_/methods/roi_features.py',
]

model = _base_.roi_feature_model
train_dataloader = _base_.roi_feature_train
val_dataloader = _base_.roi_feature_val
test_dataloader = val_dataloader
val_evaluator = _base_.roi_feature_evaluator
test_evaluator = val_evaluator
