"""LeNet as Caffe's MNIST example has it: no activation after the convolutions. 431,080 parameters
at 28x28x1.

Pixels are divided by 256 outside the net. Source: caffe examples/mnist/lenet_train_test.prototxt.
"""

from jconv import Conv, Dense, Flatten, Layer, MaxPool, Relu, Sequential
from jconv.layers import caffe_xavier

INPUT = (28, 28, 1)


def caffe_lenet(classes: int = 10) -> Layer:
    return Sequential(
        conv1=Conv(20, 5, kernel_init=caffe_xavier()),  # 24x24x20
        pool1=MaxPool(2, rounding="ceil"),  # 12x12x20
        conv2=Conv(50, 5, kernel_init=caffe_xavier()),  # 8x8x50
        pool2=MaxPool(2, rounding="ceil"),  # 4x4x50
        flatten=Flatten(),
        ip1=Dense(500, kernel_init=caffe_xavier()),
        relu1=Relu(),
        ip2=Dense(classes, kernel_init=caffe_xavier()),
    )
