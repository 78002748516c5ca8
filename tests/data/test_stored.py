import numpy as np

from jconv.data.stored import StoredImages


class Numbers(StoredImages):
    """Image i is i everywhere."""

    def __init__(self, numbers):
        self.numbers, self.in_shape = list(numbers), (2, 3, 1)
        self.names = [f"n/{i}" for i in self.numbers]

    def read(self, index, box=None):
        return np.full(self.in_shape, self.numbers[index], np.uint8)

    def taken(self, rows):
        return Numbers(self.numbers[row] for row in rows)


def test_they_have_the_shape_of_an_array():
    images = Numbers(range(11))
    assert images.shape == (11, 2, 3, 1) and len(images) == 11 and images.dtype == np.uint8


def test_several_are_read_in_their_order():
    images = Numbers(range(11))
    assert images[3:9:2][:, 0, 0, 0].tolist() == [3, 5, 7]
    assert images[np.array([7, 0, 7])][:, 1, 2, 0].tolist() == [7, 0, 7]
    assert images[:].shape == (11, 2, 3, 1) and images[5:5].shape == (0, 2, 3, 1)
    assert images.taken(np.array([4, 2]))[:][:, 0, 0, 0].tolist() == [4, 2]
