"""LeNet-5, 32x32x1: the modern form, 61,706 parameters, and the original, 60,000.

LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document Recognition".
Modern: full connections, ReLU, max pooling, linear scores. The original: C3 reads a part of S2's
maps, pools have a trained coefficient and bias, and the output is the (negative) squared distance
to a code of 84 signs a class. The 840 codes are fixed: they are state, not parameters. Here they
are drawn at random; the paper draws each digit as a 7x12 picture. Source: LeCun et al. 1998.
"""

from jconv import Conv, Dense, Flatten, Layer, MaxPool, Rbf, Relu, Sequential, Subsampling, Tanh
from jconv.layers import convnetjs_normal

INPUT = (32, 32, 1)

C3 = (  # for each of its 16 maps, the maps of S2 that it reads
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)


def lenet5(classes: int = 10) -> Layer:
    return Sequential(
        conv1=Conv(6, 5),  # 28x28x6
        relu1=Relu(),
        pool1=MaxPool(2),  # 14x14x6
        conv2=Conv(16, 5),  # 10x10x16
        relu2=Relu(),
        pool2=MaxPool(2),  # 5x5x16
        conv3=Conv(120, 5),  # 1x1x120
        relu3=Relu(),
        flatten=Flatten(),
        fc4=Dense(84),
        relu4=Relu(),
        fc5=Dense(classes),
    )


def lenet5_original(classes: int = 10) -> Layer:
    init, squash = convnetjs_normal(), Tanh(1.7159, 2 / 3)
    return Sequential(
        c1=Conv(6, 5, kernel_init=init),  # 28x28x6
        squash1=squash,
        s2=Subsampling(2),  # 14x14x6
        squash2=squash,
        c3=Conv(16, 5, mask=C3, kernel_init=init),  # 10x10x16
        squash3=squash,
        s4=Subsampling(2),  # 5x5x16
        squash4=squash,
        c5=Conv(120, 5, kernel_init=init),  # 1x1x120
        squash5=squash,
        flatten=Flatten(),
        f6=Dense(84, kernel_init=init),
        squash6=squash,
        output=Rbf(classes),
    )
