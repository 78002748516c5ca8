"""One HTML file that runs a net by itself, offline, in any browser.

A net becomes a flat list of operations on images (height, width, channels). A further kind of layer
is a function in steps.py; a further kind of operation is one in ../browser/engine.js and one in
evaluation.py, which runs in NumPy what the file holds.
"""

from .evaluation import evaluate
from .page import write_standalone
from .program import Program, compile_net
