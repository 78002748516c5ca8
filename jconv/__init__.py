"""jconv: convolutional networks as values, on JAX. A net is a tree of settings; everything else is a pure function of it."""

from . import geometry, layers, ops
from .compose import Concat, Residual, Sequential
from .errors import LayerError, ShapeError
from .geometry import ReceptiveField
from .layer import Layer, Parameter, Visit, map_layers, walk, with_method
from .layers import (
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
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
    Relu,
    Scale,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Subsampling,
    Tanh,
)
from .network import Summary, from_json, gradcheck, replace, summary, thin, to_json
from .tap import Tap, split_taps

__version__ = "0.1.0"
