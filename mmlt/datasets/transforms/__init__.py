from .load_image_feature import LoadImageFeature

__all__ = ['LoadImageFeature']
