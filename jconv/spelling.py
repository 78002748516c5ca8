"""How a layer is written: its repr, and what other libraries call its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

from .errors import near

ALIASES = {  # of other libraries' words for our settings
    "kernel": ("kernel_size", "filter_size", "kernel_shape"),
    "features": (
        "filters",
        "out_channels",
        "out_features",
        "num_filters",
        "units",
        "output_size",
        "num_classes",
    ),
    "stride": ("strides", "window_strides", "kernel_stride"),
    "bias": ("use_bias", "with_bias", "bias_term"),
    "scale": ("use_scale", "affine", "create_scale"),
    "window": ("kernel_size", "pool_size", "window_shape", "kernel"),
    "dilation": ("dilation_rate", "kernel_dilation", "rhs_dilation", "dilations"),
    "groups": ("num_groups", "feature_group_count", "group"),
    "padding": ("pad", "pads"),
    "sizes": ("output_size", "target_shape"),
    "eps": ("epsilon",),
    "rate": ("p", "drop_rate", "drop_prob"),
    "slope": ("negative_slope", "alpha"),
    "rounding": ("ceil_mode", "round_mode"),
    "count_padding": ("count_include_pad",),
    "extra": ("output_padding",),
    "kernel_init": ("kernel_initializer", "w_init"),
    "bias_init": ("bias_initializer", "b_init"),
}
NOT_NEEDED = {  # words of other libraries that say here nothing, and why
    "in_channels": "the channels come from the input",
    "in_features": "the features come from the input",
    "num_features": "the channels come from the input",
    "inplace": "arrays do not change in jax",
    "name": "a layer's name is its keyword in Sequential(conv1=...)",
    "key": "keys go to init(key, in_shape)",
    "rngs": "keys go to init(key, in_shape)",
    "dtype": "a layer computes in the dtype of its input",
    "momentum": "decay is the share kept, 1 - momentum of PyTorch's",
    "device": "jax.device_put places the arrays",
}


def our_word(name: str, known: list[str]) -> str:
    """What to write instead of a setting that a layer does not have."""
    for ours, theirs in ALIASES.items():
        if name in theirs and ours in known:
            return f"it is called {ours}"
    if name in NOT_NEEDED:
        return f"{NOT_NEEDED[name]}; leave it out"
    return f"{near(name, known)} (its settings are {', '.join(known)})" if known else "it has none"


# letters of a composite that is written in one line, of a layer that holds no other, and of a
# setting among others in a row
WIDTH, LONGER, IN_A_ROW = 100, 140, 48


def written(layer: Any) -> str:
    """A layer as Python has it, over several lines where it is long."""
    width = WIDTH if layer.composed else LONGER
    return in_lines(
        type(layer).__name__, [(name, repr(value)) for name, value in told(layer)], width
    )


def told(layer: Any) -> list[tuple[str, Any]]:
    """The settings that tell: those without a default by "", in order, and others by name, if they
    are not at their default.
    """
    parts = []
    for field in fields(layer):
        value = getattr(layer, field.name)
        if field.default is MISSING:
            parts.append(("" if all(not name for name, _ in parts) else field.name, value))
        elif value != field.default:
            parts.append((field.name, value))
    return parts


def in_a_row(layer: Any, besides: Callable[[Any], bool]) -> str:
    """The settings that tell in one line, long ones cut, without the values that are `besides`."""
    return ", ".join(
        f"{name}={_cut(value)}" if name else _cut(value)
        for name, value in told(layer)
        if not besides(value)
    )


def _cut(value: Any) -> str:
    # a function's repr is where it lies in memory
    text = getattr(value, "__name__", None) or " ".join(repr(value).split())
    return text if len(text) <= IN_A_ROW else f"{text[: IN_A_ROW - 1]}…"


def in_lines(kind: str, parts: list[tuple[str, str]], width: int = WIDTH) -> str:
    """Such as "Conv(64, 3, padding=1)": the parts in one line if they are short, else one per
    line.
    """
    each = [f"{name}={text}" if name else text for name, text in parts]
    line = f"{kind}({', '.join(each)})"
    if len(line) <= width and "\n" not in line:
        return line
    inside = "".join(f"    {text},\n".replace("\n", "\n    ").removesuffix("    ") for text in each)
    return f"{kind}(\n{inside})"
