"""What a picture of a net at work is of."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

from ..geometry import Shape
from ..layer import Layer, Params, State


class Subject(NamedTuple):
    """A net with its parameters, and one image for it: as it is shown (H, W, C), uint8 or in
    [0, 1], and as the net takes it (1, H, W, C).
    """

    net: Layer
    in_shape: Shape
    params: Params
    state: State
    image: np.ndarray
    x: jax.Array

    @property
    def arrays(self) -> tuple[Params, State, jax.Array]:
        """What the net is applied to."""
        return self.params, self.state, self.x
