"""The network of ConvNetJS's CIFAR-10 demo. 22,466 parameters at 32x32x3.

Pixels go in as value/255 - 0.5. Weights are drawn from N(0, 1/sqrt(fan_in)), biases before a ReLU
start at 0.1. Source: ConvNetJS, demo/cifar10.html.
"""

from jconv import Conv, Dense, Flatten, Layer, MaxPool, Relu, Sequential
from jconv.data.pixels import PixelScale
from jconv.layers import constant, convnetjs_normal

INPUT = (32, 32, 3)
PIXELS = PixelScale(mean=(0.5,))


def convnetjs(classes: int = 10) -> Layer:
    conv = lambda features: Conv(
        features, 5, padding=2, kernel_init=convnetjs_normal(), bias_init=constant(0.1)
    )
    return Sequential(
        conv1=conv(16),  # 32x32x16
        relu1=Relu(),
        pool1=MaxPool(2),  # 16x16x16
        conv2=conv(20),  # 16x16x20
        relu2=Relu(),
        pool2=MaxPool(2),  # 8x8x20
        conv3=conv(20),  # 8x8x20
        relu3=Relu(),
        pool3=MaxPool(2),  # 4x4x20
        flatten=Flatten(),
        fc=Dense(classes, kernel_init=convnetjs_normal()),
    )
