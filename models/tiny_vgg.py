"""The small VGG drawn at the head of the CS231n notes: [conv-relu-conv-relu-pool]x3-fc, ten 3x3
maps. 6,440 parameters at 32x32x3.

The notes round to "7000 parameters"; ten maps, counted off their figure, give 6,440.
"""

from jconv import Conv, Dense, Flatten, Layer, MaxPool, Relu, Sequential

INPUT = (32, 32, 3)


def tiny_vgg(classes: int = 10) -> Layer:
    layers = {}
    for stage in (1, 2, 3):
        for conv in (1, 2):
            layers |= {f"conv{stage}_{conv}": Conv(10, 3, padding=1), f"relu{stage}_{conv}": Relu()}
        layers[f"pool{stage}"] = MaxPool(2)  # 16x16, 8x8, 4x4
    return Sequential(**layers, flatten=Flatten(), fc=Dense(classes))
