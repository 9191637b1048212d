from .load_image_feature import LoadImageFeature
from .load_roi_features import LoadRoIFeatures

__all__ = ['LoadImageFeature', 'LoadRoIFeatures']
