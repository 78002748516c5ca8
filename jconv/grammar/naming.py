"""The names of the layers of a linear net, by three rules. Each depends on the layers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..compose import Sequential
from ..layer import Layer
from ..layers import BatchNorm, Dense, Dropout, Flatten, LocalResponseNorm

RULES = ("kinds", "alexnet", "vgg")


def names(layers: Sequence[Layer], rule: str) -> list[str]:
    """One name a layer.

    "kinds": as Sequential names them, by class: conv1, relu1, conv2, maxpool1, dense1.
    "alexnet": a layer with features counts on, and the others have its number: conv1, relu1, pool1,
    conv2, ..., pool5, fc6. "vgg": pools end stages, and the others have the number of the
    convolution they follow: conv1_1, relu1_1, conv1_2, pool1,
    ..., fc6, relu6. A dense layer is a stage of its own.
    Flatten has no number in either; a second relu with one number is relu1x2.
    """
    if rule == "kinds":
        return [name for name, _ in Sequential(*layers).layers]
    taken: Counter[str] = Counter()
    found = []
    for layer, number in zip(
        layers, _by_layer(layers) if rule == "alexnet" else _by_stage(layers), strict=True
    ):
        name = "flatten" if isinstance(layer, Flatten) else f"{_kind(layer)}{number}"
        taken[name] += 1
        found.append(name if taken[name] == 1 else f"{name}x{taken[name]}")
    return found


def _kind(layer: Layer) -> str:
    known = {Dense: "fc", BatchNorm: "bn", LocalResponseNorm: "norm", Dropout: "drop"}
    return "pool" if _pools(layer) else known.get(type(layer), type(layer).__name__.lower())


def _pools(layer: Layer) -> bool:
    return type(layer).__name__.endswith(("Pool", "Subsampling"))


def _by_layer(layers: Sequence[Layer]) -> list[str]:
    numbers, count = [], 0
    for layer in layers:
        count += hasattr(layer, "features")
        numbers.append(str(count))
    return numbers


def _by_stage(layers: Sequence[Layer]) -> list[str]:
    numbers, stage, convolutions, last = [], 1, 0, "0"
    for layer in layers:
        if _pools(layer):
            last, stage, convolutions = str(stage), stage + 1, 0
        elif hasattr(layer, "kernel"):
            convolutions += 1
            last = f"{stage}_{convolutions}"
        elif hasattr(layer, "features"):
            last, stage, convolutions = (
                str(stage + bool(convolutions)),
                stage + bool(convolutions) + 1,
                0,
            )
        numbers.append(last)
    return numbers
