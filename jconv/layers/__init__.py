"""The layers, one family a file.

A further layer is a class in a file here and its name in the list below: patterns, JSON, tables and
checks follow. What it does not declare is measured. A name of a first program also stands in
jconv/__init__.py, in the overview and in `__all__`.
"""

from .activation import (
    Clip,
    Elu,
    Gelu,
    Identity,
    Lambda,
    LeakyRelu,
    Maxout,
    PRelu,
    Relu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
)
from .conv import Conv
from .conv_transpose import ConvTranspose
from .dense import Dense, Flatten, PadChannels
from .dropout import Dropout, DropPath
from .initializer import (
    Initializer,
    bilinear,
    caffe_xavier,
    constant,
    convnetjs_normal,
    gaussian,
    glorot_uniform,
    he_normal,
    identity_kernel,
    lecun_normal,
    msra_normal,
    ones,
    partial_identity,
    symmetric_uniform,
    torch_uniform,
    zeros,
)
from .local import Local
from .norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Normalize, RMSNorm, Scale
from .pool import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
    Subsampling,
)
from .rbf import Rbf
from .resize import PixelShuffle, Upsample
from .response import ContrastNorm, LocalResponseNorm
