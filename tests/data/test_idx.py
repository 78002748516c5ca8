import gzip

import numpy as np
import pytest

from jconv.data.idx import read_idx
from jconv.errors import InputError


def encoded(array):
    header = bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


@pytest.fixture
def array(rng):
    return rng.integers(0, 256, (5, 7, 3), np.uint8)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_arrays_come_back(tmp_path, array, pack):
    (tmp_path / "a").write_bytes(pack(encoded(array)))
    np.testing.assert_array_equal(read_idx(tmp_path / "a", 3), array)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: b"", "a: begins with nothing, an IDX file of unsigned bytes with 3"),
        (lambda data: b"\0\0\x0d\3" + data[4:], "a: begins with 00 00 0d 03, .* with 00 00 08 03"),
        (lambda data: data[:3] + b"\1" + data[4:], "a: begins with 00 00 08 01, an IDX"),
        (lambda data: data[:9], "a: ends within its header"),
        (lambda data: data[:-1], "a: its header says 5x7x3, 105 bytes, but it holds 104"),
        (lambda data: data + b"\0", "its header says 5x7x3, 105 bytes, but it holds more"),
        (lambda data: data[:4] + b"\xff" * 12, "4294967295, [0-9,]+ bytes; at most 1,073,741,824"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, array, pack, change, text):
    (tmp_path / "a").write_bytes(pack(change(encoded(array))))
    with pytest.raises(InputError, match=text):
        read_idx(tmp_path / "a", 3)


@pytest.mark.parametrize("change", [lambda d: d[:-3], lambda d: d[:-6] + b"\7" + d[-5:]])
def test_damaged_compression_is_named(tmp_path, array, change):
    (tmp_path / "a").write_bytes(change(gzip.compress(encoded(array))))
    with pytest.raises(InputError, match=r"a: its compression is damaged \(.+\); fetch"):
        read_idx(tmp_path / "a", 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent: cannot be read \(no such file"):
        read_idx(tmp_path / "absent", 3)
