# What the Faster and Mask R-CNN of the BAGS paper, of MMDetection 1, have and
# those of MMDetection 3 have not.
smooth_l1 = dict(_delete_=True, type='SmoothL1Loss', beta=1.0)
rpn_head = dict(loss_bbox=dict(_delete_=True, type='SmoothL1Loss', beta=1 / 9))
model_train_cfg = dict(rpn_proposal=dict(max_per_img=2000))
