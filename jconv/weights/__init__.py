"""Weights files: jconv's own, which hold the net too."""

from .native import Weights, fingerprint, load_weights, save_weights

__all__ = ["Weights", "fingerprint", "load_weights", "save_weights"]
