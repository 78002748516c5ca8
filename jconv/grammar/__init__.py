"""Networks as text: the layer patterns of the CS231n notes, read and written, and lists of layers
(listing.py).

parsing.py and values.py read a text, words.py knows what its words mean, building.py makes the net,
and notation.py is the way back. A layer of jconv.layers is a word by its class's name.
"""

from .building import input_shape, pattern
from .listing import read_listing, write_listing
from .notation import describe
