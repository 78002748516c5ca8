"""Layers made of layers: how a composite says once, in `run`, how its children are connected, and
everything that follows from it.

composite.py says what a composite is, call.py and arrays.py how it is followed, with shapes and
with arrays, walking.py lists a net; containers.py and tap.py hold the ones nets are made of. To
write one of your own, derive
from `Composite`.
"""

from .arrays import Arrays
from .call import Call, Following, Placeholder, Step, joined_shape, kept_shape, path_to
from .composite import Composite, check_names
from .containers import Concat, MaxUnpool, Named, Repeat, Residual, Sequential
from .tap import Tap, split_taps
from .walking import Visit, Walk, turn_name, walk
