from mmlt.compat import has_mmdet

__all__ = []

if has_mmdet():
    from .bags_bbox_head import BAGSBBoxHead
    from .roi_feature_head import RoIFeatureHead

    __all__ += ['BAGSBBoxHead', 'RoIFeatureHead']
