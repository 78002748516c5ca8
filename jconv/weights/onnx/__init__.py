"""Networks of ONNX: read (reader.py, and operators.py for what each operator is here), written
(writer.py), and run by ONNX's own evaluator (evaluation.py).
"""

from .reader import read_onnx

__all__ = ["read_onnx"]
