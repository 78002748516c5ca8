"""Networks and weights of Caffe: schema.py is its format, definition.py its layers in one form,
layers.py what each of them is here, network.py the whole.
"""

from .network import read_caffe

__all__ = ["read_caffe"]
