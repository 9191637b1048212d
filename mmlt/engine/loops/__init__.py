from .class_means_loop import ClassMeansLoop

__all__ = ['ClassMeansLoop']
