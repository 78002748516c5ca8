"""Networks as text: the notes' layer patterns, read and written."""

from .notation import describe
from .parsing import PatternError, input_shape, pattern
