"""Caffe's CIFAR-10 examples, 32x32x3: quick with 145,578 parameters, full with 89,578.

Both pool the first maps before their ReLU and later maps, by averages, after it; full normalises
within each map and has one dense layer where quick has two. Source: caffe
examples/cifar10/cifar10_quick_train_test.prototxt and cifar10_full_train_test.prototxt.
"""

from jconv import AvgPool, Conv, Dense, Flatten, Layer, LocalResponseNorm, MaxPool, Relu, Sequential
from jconv.layers import gaussian

INPUT = (32, 32, 3)


def caffe_cifar10_quick(classes: int = 10) -> Layer:
    return Sequential(
        conv1=Conv(32, 5, padding=2, kernel_init=gaussian(0.0001)),  # 32x32x32
        pool1=MaxPool(3, 2, rounding="ceil"),  # 16x16x32
        relu1=Relu(),
        conv2=Conv(32, 5, padding=2, kernel_init=gaussian(0.01)),  # 16x16x32
        relu2=Relu(),
        pool2=AvgPool(3, 2, rounding="ceil"),  # 8x8x32
        conv3=Conv(64, 5, padding=2, kernel_init=gaussian(0.01)),  # 8x8x64
        relu3=Relu(),
        pool3=AvgPool(3, 2, rounding="ceil"),  # 4x4x64
        flatten=Flatten(),
        ip1=Dense(64, kernel_init=gaussian(0.1)),  # no activation between the two
        ip2=Dense(classes, kernel_init=gaussian(0.1)),
    )


def caffe_cifar10_full(classes: int = 10) -> Layer:
    norm = LocalResponseNorm(3, alpha=5e-5, beta=0.75, within=True)
    return Sequential(
        conv1=Conv(32, 5, padding=2, kernel_init=gaussian(0.0001)),  # 32x32x32
        pool1=MaxPool(3, 2, rounding="ceil"),  # 16x16x32
        relu1=Relu(),
        norm1=norm,
        conv2=Conv(32, 5, padding=2, kernel_init=gaussian(0.01)),  # 16x16x32
        relu2=Relu(),
        pool2=AvgPool(3, 2, rounding="ceil"),  # 8x8x32
        norm2=norm,
        conv3=Conv(64, 5, padding=2, kernel_init=gaussian(0.01)),  # 8x8x64
        relu3=Relu(),
        pool3=AvgPool(3, 2, rounding="ceil"),  # 4x4x64
        flatten=Flatten(),
        ip1=Dense(classes, kernel_init=gaussian(0.01)),
    )
