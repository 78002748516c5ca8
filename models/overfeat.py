"""OverFeat, the fast model, as convnet-benchmarks has it, 231x231x3: 145,920,872 parameters.

Sermanet et al. 2013, "OverFeat: Integrated Recognition, Localization and Detection using
Convolutional Networks". The benchmark leaves dropout out; its dense layers' rectifier returns 1e-6
where this one returns 0.
"""

from jconv import Conv, Dense, Flatten, Layer, MaxPool, Relu, Sequential
from jconv.layers import torch_uniform

INPUT = (231, 231, 3)


def overfeat(classes: int = 1000) -> Layer:
    init = torch_uniform()  # biases start at 0 here, Torch draws them too
    return Sequential(
        conv1=Conv(96, 11, stride=4, kernel_init=init),  # 56x56x96
        relu1=Relu(),
        pool1=MaxPool(2),  # 28x28x96
        conv2=Conv(256, 5, kernel_init=init),  # 24x24x256
        relu2=Relu(),
        pool2=MaxPool(2),  # 12x12x256
        conv3=Conv(512, 3, padding=1, kernel_init=init),  # 12x12x512
        relu3=Relu(),
        conv4=Conv(1024, 3, padding=1, kernel_init=init),  # 12x12x1024
        relu4=Relu(),
        conv5=Conv(1024, 3, padding=1, kernel_init=init),  # 12x12x1024
        relu5=Relu(),
        pool5=MaxPool(2),  # 6x6x1024
        flatten=Flatten(),
        fc6=Dense(3072, kernel_init=init),
        relu6=Relu(),
        fc7=Dense(4096, kernel_init=init),
        relu7=Relu(),
        fc8=Dense(classes, kernel_init=init),
    )
