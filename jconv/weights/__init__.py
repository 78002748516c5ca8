"""Weights files: jconv's own, which hold the net too."""

from .native import Weights, load_weights, save_weights

__all__ = ["Weights", "load_weights", "save_weights"]
