"""Weights, and networks with them: jconv's own file, and those of others.

Reading: files.py tells the formats apart; tensors.py and pickled.py open PyTorch's files, and
matching.py and names.py say which module is which layer; caffe/ and onnx/ make nets of graphs
(graph.py); convnetjs.py is both reader and writer. Each gives a Reading: the weights, and of every
array where it came from and what was done to it. A further format is one file and one entry of
FORMAT_OF in files.py.
"""

from .files import About, read_weights
from .native import Weights, fingerprint, load_weights, save_weights
from .reading import Origin, Reading

__all__ = [
    "About",
    "Origin",
    "Reading",
    "Weights",
    "fingerprint",
    "load_weights",
    "read_weights",
    "save_weights",
]
