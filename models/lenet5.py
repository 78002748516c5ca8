"""LeNet-5 in its modern form: full connections, ReLU, max pooling, linear scores. 61,706 parameters at 32x32x1.

LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document Recognition". The original's sparse C3,
trainable subsampling and RBF output are not here. Source: facts B1.
"""

from jconv import Conv, Dense, Flatten, Layer, MaxPool, Relu, Sequential

INPUT = (32, 32, 1)


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
