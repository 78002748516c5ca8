"""The switches of a max pool: which input won each window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.recording import Recorder
from ..compose import path_to
from ..errors import LayerError
from ..geometry import Window
from ..layer import Layer, Params, State, computes_as
from ..layers.pool import MaxPool
from ..ops.max_pooling import switch_index, switches
from .frame import bare, new_figure, pixels, title
from .palette import LIGHT
from .tiles import signed

MOST = 6  # maps


class Switches(NamedTuple):
    """What a max pool is given (h, w, C), and where in it each window's maximum is: the row and the
    column of each output position (h', w', C).
    """

    maps: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    window: Window


@dataclass
class _Inputs(Recorder):
    """Keeps what every max pool is given, too."""

    given: dict[str, tuple[MaxPool, jax.Array]] = field(default_factory=dict)

    def child(self, name: str, layer: Layer, x):
        if computes_as(layer, MaxPool):
            self.given.setdefault(path_to(self.path, name), (layer, x))
        return super().child(name, layer, x)


def max_pools(
    net: Layer, params: Params, state: State, x: jax.Array
) -> dict[str, tuple[MaxPool, jax.Array]]:
    """Every max pool of a net by its path, with what it is given for a batch."""
    if computes_as(net, MaxPool):
        return {"": (net, jnp.asarray(x))}
    call = _Inputs(params, state, False, None)
    if net.composed:
        net.run(call, jnp.asarray(x))  # type: ignore (a composite)
    return call.given


def switches_of(pool: MaxPool, x: jax.Array) -> Switches:
    """The switches for x (1, h, w, C). Raises LayerError for a pool whose padding holds pixels."""
    if pool.padding_mode != "zeros":
        raise LayerError(f"padding_mode={pool.padding_mode!r}: a winner may lie in the padding")
    window = pool.over(x.shape[1:])
    how = {name: getattr(pool, name) for name in ("stride", "padding", "rounding", "dilation")}
    winners = np.asarray(switch_index(switches(x, pool.window, **how), window))[0]
    rows, columns = np.unravel_index(winners, window.in_sizes)
    return Switches(np.asarray(x[0], np.float32), rows, columns, window)


def switch_picture(found: Switches, name: str) -> Figure:
    """The first maps that the pool is given, its windows, and a dot at the winner of each."""
    count = found.maps.shape[-1]
    kept = min(count, MOST)
    across = min(kept, 3)
    down = -(-kept // across)
    figure = new_figure(3.1 * across, 3.3 * down + 0.5)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for channel, axes in enumerate(panels):
        axes.set_visible(channel < kept)
        if channel < kept:
            _draw(axes, found, channel)
    left_out = "" if kept == count else f", the first {kept} of {count:,} maps"
    figure.suptitle(
        f"{name}: a dot where each window's largest value is{left_out}",
        x=0.01,
        ha="left",
        fontsize=10,
        color=LIGHT["ink"],
        parse_math=False,
    )
    return figure


def _draw(axes: Axes, found: Switches, channel: int) -> None:
    maps = found.maps[..., channel]
    pixels(axes, signed(maps / (np.abs(maps).max() or 1)))
    window = found.window
    for axis, line in enumerate((axes.axhline, axes.axvline)):
        first = -window.padding[axis][0]
        for i in range(window.out_sizes[axis] + 1):
            line(first + i * window.stride[axis] - 0.5, color=LIGHT["edge"], linewidth=0.5)
    size = 160 / max(maps.shape)
    axes.plot(
        found.columns[..., channel].ravel(),
        found.rows[..., channel].ravel(),
        "o",
        color=LIGHT["ink"],
        markeredgecolor=LIGHT["card"],
        markeredgewidth=0.6,
        markersize=max(min(size * 0.45, 7), 2),
    )
    axes.set(xlim=(-0.6, maps.shape[1] - 0.4), ylim=(maps.shape[0] - 0.4, -0.6))
    title(axes, f"map {channel}, {maps.shape[0]}×{maps.shape[1]}")
    bare(axes)
