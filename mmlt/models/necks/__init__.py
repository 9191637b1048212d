from .modulated_attention import ModulatedAttention
from .pfc import PFC

__all__ = ['PFC', 'ModulatedAttention']
