_base_ = [
    '../_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/lvis_v1_detection.py',
    '../_base_/schedules/lvis_bs16_12e.py',
    '../_base_/runtimes/detection_runtime.py',
]

# The probabilities of 1203 classes start at 0.001.
model = dict(
    bbox_head=dict(
        num_classes=_base_.num_classes,
        init_cfg=dict(
            type='Normal',
            layer='Conv2d',
            std=0.01,
            override=dict(
                type='Normal', name='retina_cls', std=0.01, bias_prob=0.001
            ),
        ),
    ),
    test_cfg=_base_.rcnn_test_cfg,
)
load_from = _base_.coco_checkpoint
