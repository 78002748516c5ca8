"""Networks of ONNX, read (reader.py) and written (writer.py)."""

from .reader import read_onnx

__all__ = ["read_onnx"]
