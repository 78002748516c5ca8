"""Networks and weights of Caffe: schema.py is its format, definition.py its layers in one form,
network.py what each of them is here.
"""

from .network import read_caffe

__all__ = ["read_caffe"]
