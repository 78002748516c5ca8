"""Images that are read one by one, for tests: in a module of its own, which other processes can
import.
"""

from dataclasses import dataclass

import numpy as np

from jconv.data import StoredImages

COUNT = 11


@dataclass(frozen=True)
class Counted(StoredImages):
    """Image i is full of i; a part of it has the number of columns that were cut."""

    names: tuple[str, ...] = tuple(map(str, range(COUNT)))
    in_shape: tuple[int, ...] = (4, 3, 1)

    def read(self, index, box=None):
        image = np.full(self.in_shape, index, np.uint8)
        if box is not None:
            found = box(30, 20)
            image[0, 0, 0] = round((found.right - found.left) * 100)
        return image

    def taken(self, rows):
        return Counted(tuple(self.names[row] for row in rows))

    def sized(self, in_shape):
        return Counted(self.names, in_shape)
