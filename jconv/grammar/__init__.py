"""Networks as text: the layer patterns of the CS231n notes, read and written.

text.py and values.py read, words.py knows what the words mean, parsing.py makes the net, and
notation.py is the way back. A layer of jconv.layers is a word by its class's name.
"""

from .notation import describe
from .parsing import input_shape, pattern
