"""Networks as text: the layer patterns of the CS231n notes, read and written."""

from .notation import describe
from .parsing import PatternError, input_shape, pattern
