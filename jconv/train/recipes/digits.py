"""LeNet-5 on scikit-learn's handwritten digits: what `jconv train` does without options.

    jconv reproduce digits

LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document Recognition",
for the net, with max pooling and ReLU. To expect: 99.4 % or more of 359 test images, in 9 s on two
cores of an Intel Xeon with AVX-512. No accuracy of this split was published by others.
"""

from ..options import TrainOptions
from .published import Published

RECIPE = Published(TrainOptions(), None, "README.md")
