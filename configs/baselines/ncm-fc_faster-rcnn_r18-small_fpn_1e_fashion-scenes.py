_base_ = [
    '../_base_/models/faster-rcnn_r18-small_fpn.py',
    '../_base_/datasets/fashion_scenes_detection.py',
    '../_base_/schedules/class-means_1e.py',
    '../_base_/runtimes/detection_runtime.py',
    '../_base_/methods/decoupling_boxes.py',
]

model = dict(roi_head=dict(bbox_head=dict(type='mmlt.NCMBBoxHead')))
train_dataloader = dict(
    sampler=_base_.each_once,
    dataset=dict(
        pipeline=[
            step for step in _base_.train_pipeline if step.type != 'RandomFlip'
        ]
    ),
)
load_from = (
    'work_dirs/faster-rcnn_r18-small_fpn_12e_fashion-scenes/epoch_12.pth'
)
