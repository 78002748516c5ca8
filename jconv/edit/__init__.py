"""Nets from nets: layers replaced, thinner or by other methods, fully connected layers as
convolutions, and nets as JSON.

An edit is a function from a net to a net; where layers change one by one it is made of
`map_layers`.
"""

from .dense import convolutionalize, dense_scores, fully_connect, shift_and_stitch
from .folding import fold_batch_norm
from .serial import from_json, to_json
from .serving import servable
from .surgery import replace, thin, with_method, with_precision
