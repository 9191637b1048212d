# A second stage of a detector on Fashion-Scenes, on features of RoIs that were
# computed once by tools/dataset_converters/roi_features.py. The box head and
# all that is trained stay as they are; the val scenes are the 2,000 of
# docs/fashion_scenes.md.
roi_feature_root = 'data/fashion_scenes_large/'
roi_feature_model = dict(
    data_preprocessor=dict(_delete_=True, type='DetDataPreprocessor'),
    backbone=dict(_delete_=True, type='mmlt.ImageFeatures', in_channels=256),
    neck=None,
    rpn_head=None,
    roi_head=dict(type='mmlt.RoIFeatureHead'),
)
roi_feature_file = roi_feature_root + 'roi_features_{}.npz'
roi_feature_train = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=roi_feature_root,
        pipeline=[
            dict(
                type='mmlt.LoadRoIFeatures',
                file=roi_feature_file.format('train'),
            ),
            dict(type='PackDetInputs'),
        ],
    ),
)
roi_feature_val = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=roi_feature_root,
        pipeline=[
            dict(
                type='mmlt.LoadRoIFeatures',
                file=roi_feature_file.format('val'),
            ),
            dict(type='PackDetInputs'),
        ],
    ),
)
roi_feature_evaluator = dict(
    ann_file=roi_feature_root + 'annotations/fashion_scenes_val.json'
)
