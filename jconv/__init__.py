"""jconv: convolutional networks as values, on JAX. A net is a tree of settings; everything else is a pure function of it."""

from . import geometry, layers, ops
from .compilation import jit
from .compose import Concat, Repeat, Residual, Sequential
from .composite import Call, Composite, Visit, walk
from .errors import LayerError, ShapeError
from .geometry import ReceptiveField
from .grammar import PatternError, describe, pattern
from .layer import Layer, Parameter, Pointwise, Saved, map_layers, with_method
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
    Rbf,
    Relu,
    Scale,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Subsampling,
    Tanh,
)
from .network import (
    Budget,
    Finding,
    GradientCheck,
    Measurement,
    PrecisionErrors,
    Summary,
    Tuning,
    activations,
    budget,
    connections,
    conv_as_dense,
    convolutionalize,
    dense_scores,
    features,
    from_json,
    fully_connect,
    gradcheck,
    largest_batch,
    lint,
    load_plan,
    net_field,
    precision_errors,
    receptive_fields,
    replace,
    save_plan,
    saved_bytes,
    shift_and_stitch,
    streaming_peak,
    summary,
    thin,
    to_json,
    tune,
    with_precision,
)
from .tap import Tap, split_taps

__version__ = "0.1.0"
