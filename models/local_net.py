"""cuda-convnet's locally connected CIFAR-10 nets, 32x32x3: local_13pct with 1,901,386 parameters,
local_11pct with 3,672,906.

They are called by their test error. Their last two convolutions share no weights over the image.
Source: cuda-convnet's layers-conv-local-13pct.cfg and layers-conv-local-11pct.cfg (Krizhevsky
2011), whose pools round up and whose "cmrnorm" divides its scale by its size.
"""

from jconv import Conv, Dense, Flatten, Layer, Local, LocalResponseNorm, MaxPool, Relu, Sequential
from jconv.layers import gaussian

INPUT = (32, 32, 3)


def local_13pct(classes: int = 10) -> Layer:
    return Sequential(
        conv1=Conv(64, 5, padding=2, kernel_init=gaussian(0.0001)),  # 32x32x64
        relu1=Relu(),
        pool1=MaxPool(3, 2, rounding="ceil"),  # 16x16x64
        conv2=Conv(64, 5, padding=2, kernel_init=gaussian(0.01)),  # 16x16x64
        relu2=Relu(),
        pool2=MaxPool(3, 2, rounding="ceil"),  # 8x8x64
        local3=Local(32, 3, padding=1, kernel_init=gaussian(0.04)),  # 8x8x32
        relu3=Relu(),
        local4=Local(32, 3, padding=1, kernel_init=gaussian(0.04)),  # 8x8x32
        relu4=Relu(),
        flatten=Flatten(),
        fc10=Dense(classes, kernel_init=gaussian(0.01)),
    )


def local_11pct(classes: int = 10) -> Layer:
    norm = LocalResponseNorm(9, alpha=0.001, beta=0.75)
    return Sequential(
        conv1=Conv(64, 5, padding=2, kernel_init=gaussian(0.0001)),  # 32x32x64
        relu1=Relu(),
        pool1=MaxPool(3, 2, rounding="ceil"),  # 16x16x64
        norm1=norm,
        conv2=Conv(64, 5, padding=2, kernel_init=gaussian(0.01)),  # 16x16x64
        relu2=Relu(),
        norm2=norm,
        pool2=MaxPool(3, 2, rounding="ceil"),  # 8x8x64
        local3=Local(64, 3, padding=1, kernel_init=gaussian(0.04)),  # 8x8x64
        relu3=Relu(),
        local4=Local(32, 3, padding=1, kernel_init=gaussian(0.04)),  # 8x8x32
        relu4=Relu(),
        flatten=Flatten(),
        fc10=Dense(classes, kernel_init=gaussian(0.01)),
    )
