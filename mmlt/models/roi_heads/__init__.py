from mmlt.compat import has_mmdet

__all__ = []

if has_mmdet():
    from .bags_bbox_head import BAGSBBoxHead
    from .foreground_bbox_heads import NCMBBoxHead, TauNormBBoxHead
    from .roi_feature_head import RoIFeatureHead

    __all__ += [
        'BAGSBBoxHead',
        'NCMBBoxHead',
        'RoIFeatureHead',
        'TauNormBBoxHead',
    ]
