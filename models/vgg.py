"""VGG, 224x224x3: stages of small convolutions, each doubling the maps and halving their size, and
three dense layers.

Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition".
Parameters:
A 132,863,336 (with its one local response norm the same)   B 133,047,848   C 133,638,952
D 138,357,544   E 143,667,240
with batch norm, torchvision's: A 132,868,840   B 133,053,736   D 138,365,992   E 143,678,248
D holds 15,237,608 values for one image, 60.95 MB: the rows of the CS231n notes' table, whose total
line says 24M and 93 MB. Deviation: the paper starts deeper nets from its trained A; the
initializers are torchvision's, which train from scratch.
"""

from typing import Literal, get_args

from jconv import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LocalResponseNorm,
    MaxPool,
    Relu,
    Sequential,
)
from jconv.layers import gaussian, msra_normal

from .choice import check_known

INPUT = (224, 224, 3)
WIDTHS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {  # in each stage; 3x3, but where C has a third it is 1x1
    "A": (1, 1, 2, 2, 2),
    "B": (2, 2, 2, 2, 2),
    "C": (2, 2, 3, 3, 3),
    "D": (2, 2, 3, 3, 3),
    "E": (2, 2, 4, 4, 4),
}
Norm = Literal["none", "lrn", "batch"]


def vgg(configuration: str, norm: Norm = "none", classes: int = 1000) -> Layer:
    check_known("configuration", configuration, CONVOLUTIONS)
    check_known("norm", norm, get_args(Norm))
    layers = {}
    for stage, (width, count) in enumerate(
        zip(WIDTHS, CONVOLUTIONS[configuration], strict=True), 1
    ):
        for i in range(1, count + 1):
            kernel = 1 if configuration == "C" and i == 3 else 3
            layers[f"conv{stage}_{i}"] = Conv(
                width, kernel, padding=kernel // 2, kernel_init=msra_normal(fan="out")
            )
            if norm == "batch":
                layers[f"bn{stage}_{i}"] = BatchNorm()
            layers[f"relu{stage}_{i}"] = Relu()
            if norm == "lrn" and stage == 1:
                layers["norm1"] = LocalResponseNorm(5, alpha=1e-4, beta=0.75, convention="paper")
        layers[f"pool{stage}"] = MaxPool(2)  # 112x112, 56x56, 28x28, 14x14, 7x7
    return Sequential(
        **layers,
        flatten=Flatten(),
        fc6=Dense(4096, kernel_init=gaussian(0.01)),
        relu6=Relu(),
        drop6=Dropout(0.5),
        fc7=Dense(4096, kernel_init=gaussian(0.01)),
        relu7=Relu(),
        drop7=Dropout(0.5),
        fc8=Dense(classes, kernel_init=gaussian(0.01)),
    )
