"""jconv: convolutional networks as values, on JAX. A net is a tree of settings; everything else is
a pure function of it.

What a layer is     Layer, Parameter, Pointwise, Saved, walk and its Visit, map_layers
Layers of layers    Sequential, Residual, Concat, Repeat, Tap, split_taps; of your own: Composite
                    and its Call
Convolutions        Conv, ConvTranspose, Local, Dense, Flatten, PadChannels, Rbf
Pooling             MaxPool, AvgPool, LpPool, GlobalAvgPool, GlobalMaxPool, AdaptiveAvgPool,
                    AdaptiveMaxPool, Subsampling
Larger again        Upsample, PixelShuffle, MaxUnpool
Norms               BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, LocalResponseNorm,
                    ContrastNorm, Normalize, Scale
Activations         Relu, Clip, LeakyRelu, PRelu, Elu, Gelu, Silu, Sigmoid, Tanh, Softplus, Softmax,
                    Maxout, Lambda, Identity
In training alone   Dropout, DropPath
Initializers        Initializer; its words (he_normal, ...) are in jconv.layers, and
                    jax.nn.initializers serve as well
Compiling           jit, servable
What a net is       summary and its Summary, budget and its Budget, largest_batch, saved_bytes,
                    streaming_peak, receptive_fields and their ReceptiveField, net_field, lint and
                    its Finding, activations, features, connections, conv_as_dense
Checking a net      gradcheck and its GradientCheck, precision_errors and its PrecisionErrors
Editing a net       replace, thin, with_method, with_precision, fold_batch_norm, convolutionalize,
                    fully_connect, shift_and_stitch, dense_scores
Text and JSON       pattern, describe, to_json, from_json
Methods, measured   tune and its Tuning and Measurement, save_plan, load_plan
Errors              JconvError, LayerError, ShapeError, InputError, PatternError

Modules, there at once: jconv.errors, geometry, ops, layers, compose, analysis, edit, check, tuning,
grammar.
Modules, each imported when it is first asked for: jconv.data, train, weights, view, models,
scripts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from . import analysis, check, compose, edit, errors, geometry, grammar, layers, ops, tuning
from .analysis import (
    Budget,
    Finding,
    Summary,
    activations,
    budget,
    connections,
    conv_as_dense,
    features,
    largest_batch,
    lint,
    net_field,
    receptive_fields,
    saved_bytes,
    streaming_peak,
    summary,
)
from .check import GradientCheck, PrecisionErrors, gradcheck, precision_errors
from .compilation import jit
from .compose import (
    Call,
    Composite,
    Concat,
    MaxUnpool,
    Repeat,
    Residual,
    Sequential,
    Tap,
    Visit,
    split_taps,
    walk,
)
from .edit import (
    convolutionalize,
    dense_scores,
    fold_batch_norm,
    from_json,
    fully_connect,
    replace,
    servable,
    shift_and_stitch,
    thin,
    to_json,
    with_method,
    with_precision,
)
from .errors import InputError, JconvError, LayerError, PatternError, ShapeError
from .geometry import ReceptiveField
from .grammar import describe, pattern
from .layer import Layer, Parameter, Pointwise, Saved, map_layers
from .layers import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Clip,
    ContrastNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    DropPath,
    Elu,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    Initializer,
    InstanceNorm,
    Lambda,
    LayerNorm,
    LeakyRelu,
    Local,
    LocalResponseNorm,
    LpPool,
    Maxout,
    MaxPool,
    Normalize,
    PadChannels,
    PixelShuffle,
    PRelu,
    Rbf,
    Relu,
    RMSNorm,
    Scale,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Subsampling,
    Tanh,
    Upsample,
)
from .tuning import Measurement, Tuning, load_plan, save_plan, tune

# what __getattr__ imports; models and scripts lie outside this folder in a checkout
if TYPE_CHECKING:
    from . import data, models, scripts, train, view, weights  # type: ignore

__version__ = "0.1.0"

_AT_ONCE = (
    "analysis",
    "check",
    "compose",
    "edit",
    "errors",
    "geometry",
    "grammar",
    "layers",
    "ops",
    "tuning",
)
_ON_DEMAND = ("data", "models", "scripts", "train", "view", "weights")

__all__ = [
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "AvgPool",
    "BatchNorm",
    "Budget",
    "Call",
    "Composite",
    "Concat",
    "ContrastNorm",
    "Conv",
    "ConvTranspose",
    "Dense",
    "DropPath",
    "Dropout",
    "Elu",
    "Finding",
    "Flatten",
    "Gelu",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GradientCheck",
    "GroupNorm",
    "Identity",
    "Initializer",
    "InputError",
    "InstanceNorm",
    "JconvError",
    "Lambda",
    "Layer",
    "LayerError",
    "LayerNorm",
    "Clip",
    "LeakyRelu",
    "Local",
    "LocalResponseNorm",
    "LpPool",
    "MaxPool",
    "MaxUnpool",
    "Maxout",
    "Measurement",
    "Normalize",
    "PRelu",
    "PadChannels",
    "Parameter",
    "PatternError",
    "PixelShuffle",
    "Pointwise",
    "PrecisionErrors",
    "RMSNorm",
    "Rbf",
    "ReceptiveField",
    "Relu",
    "Repeat",
    "Residual",
    "Saved",
    "Scale",
    "Sequential",
    "ShapeError",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Softplus",
    "Subsampling",
    "Summary",
    "Tanh",
    "Tap",
    "Tuning",
    "Upsample",
    "Visit",
    "activations",
    "budget",
    "connections",
    "conv_as_dense",
    "convolutionalize",
    "dense_scores",
    "describe",
    "features",
    "fold_batch_norm",
    "from_json",
    "fully_connect",
    "gradcheck",
    "jit",
    "largest_batch",
    "lint",
    "load_plan",
    "map_layers",
    "net_field",
    "pattern",
    "precision_errors",
    "receptive_fields",
    "replace",
    "save_plan",
    "saved_bytes",
    "servable",
    "shift_and_stitch",
    "split_taps",
    "streaming_peak",
    "summary",
    "thin",
    "to_json",
    "tune",
    "walk",
    "with_method",
    "with_precision",
]


def __getattr__(name: str):
    """A module of _ON_DEMAND, imported: `import jconv` alone should be quick, and train, view or
    weights need further libraries.
    """
    if name in _ON_DEMAND:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(
        {*__all__, *_AT_ONCE, *_ON_DEMAND, *(name for name in globals() if name.startswith("__"))}
    )
