"""Pure functions of arrays, channels last, each with an im2col twin: `method="im2col"` is the
reference, in reference.py.

How a convolution runs: `conv` (convolution.py) binds one of three primitives (bilinear.py); when
the program is lowered, methods/plan.py chooses a method, a file in methods/. A function here that
is no convolution has its fast form and its twin in one file, max pooling's in max_pooling.py and
routing.py.

views.py takes the windows of an array, shapes.py says what a convolution is, precision.py and
widening.py in what numbers sums are made, sharding.py what meshes need, outlining.py what is
compiled by itself, refused.py which convolutions a compiler does not take.
"""

from .convolution import conv, conv_transpose, dense, local_conv
from .max_pooling import max_pool, route, select, switch_index, switches
from .methods import METHODS, OPERATIONS
from .normalization import (
    batch_norm,
    contrast_norm,
    group_norm,
    local_response_norm,
    local_response_norm_within,
    moments,
    standardize,
)
from .pooling import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    global_avg_pool,
    global_max_pool,
    lp_pool,
)
from .reference import col2im, im2col
from .resizing import pixel_shuffle, resize
