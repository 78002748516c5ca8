"""Dilated convolutions for dense prediction: a VGG-16 front end and the context modules that go on
its class maps.

Yu and Koltun 2015, "Multi-Scale Context Aggregation by Dilated Convolutions". Parameters for 21
classes: dilated_frontend, 900x900x3 to 66x66x21, no padding (the image brings a margin of 186
pixels): 134,346,581 context_basic, 66x66x21: 28,392; `variant` is its depth with the dataset it was
made for: "dilation8" (CamVid), "dilation7" (KITTI), "dilation10" (Cityscapes). context_large,
66x66x21: 6,803,139; `variant` "train" pads each layer by its rate, "deploy" (VOC) pads 33 pixels
once, before the first. Context modules begin as the identity with a little noise. The fixed
upsampling by 8 is left out.
"""

from typing import Literal

from jconv import Conv, Dropout, Layer, MaxPool, Relu, Sequential
from jconv.geometry import Shape
from jconv.layers import gaussian, identity_kernel

from .choice import check_variant

INPUT, MAPS_INPUT = (900, 900, 3), (66, 66, 21)
RATES = {  # of the 3x3 convolutions; a 1x1 follows
    "dilation7": (1, 1, 2, 4, 8, 1),
    "dilation8": (1, 1, 2, 4, 8, 16, 1),
    "dilation10": (1, 1, 2, 4, 8, 16, 32, 64, 1),
}
LARGE = (2, 2, 4, 8, 16, 32, 32)  # widths in multiples of the classes
Depth = Literal["dilation8", "dilation7", "dilation10"]
Padding = Literal["train", "deploy"]


def dilated_frontend(classes: int = 21) -> Layer:
    layers = {}
    for stage, (width, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for i in range(1, count + 1):
            layers |= {
                f"conv{stage}_{i}": Conv(width, 3, dilation=2 if stage == 5 else 1),
                f"relu{stage}_{i}": Relu(),
            }
        if stage < 4:  # VGG's last two pools are gone, and what follows is dilated for it
            layers[f"pool{stage}"] = MaxPool(2)
    layers |= {"fc6": Conv(4096, 7, dilation=4), "relu6": Relu(), "drop6": Dropout(0.5)}
    layers |= {"fc7": Conv(4096, 1), "relu7": Relu(), "drop7": Dropout(0.5)}
    return Sequential(**layers, final=Conv(classes, 1, kernel_init=gaussian(0.001)))


def context(
    classes: int, widths: tuple[int, ...], rates: tuple[int, ...], pads: tuple[int, ...]
) -> Layer:
    layers = {}
    for i, (width, rate, pad) in enumerate(zip(widths, rates, pads, strict=True), 1):
        init = identity_kernel(classes, noise=0.01 / width)
        layers |= {
            f"conv{i}": Conv(width * classes, 3, padding=pad, dilation=rate, kernel_init=init),
            f"relu{i}": Relu(),
        }
    return Sequential(
        **layers,
        final=Conv(classes, 1, kernel_init=identity_kernel(classes, noise=0.01 / widths[-1])),
    )


def context_basic(classes: int = 21, variant: Depth = "dilation8") -> Layer:
    check_variant(variant, Depth)
    rates = RATES[variant]
    return context(classes, (1,) * len(rates), rates, pads=rates)


def context_large(classes: int = 21, variant: Padding = "train") -> Layer:
    check_variant(variant, Padding)
    rates = RATES["dilation8"]
    return context(
        classes, LARGE, rates, pads=rates if variant == "train" else (33, 0, 0, 0, 0, 0, 0)
    )


def maps(classes: int = 21, variant: str = "") -> Shape:
    """What a context module reads: the class maps of the front end."""
    return (*MAPS_INPUT[:2], classes)
