"""Caffe's binary form by hand: keys and lengths as protobuf's encoding defines them, with the
numbers of caffe.proto's fields, so that a test does not rest on the schema it tests.
"""

import struct

import numpy as np


def varint(n: int) -> bytes:
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def number(field: int, n: int) -> bytes:
    return varint(field << 3) + varint(n)


def block(field: int, data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def blob(values, shape=None) -> bytes:
    """BlobProto: data = 5, packed; shape = 7, whose dim = 1; of old files num to width = 1 to 4."""
    array = np.asarray(values, "<f4")
    data = block(5, array.tobytes())
    if shape is not None:
        return b"".join(number(i + 1, n) for i, n in enumerate(shape)) + data
    return block(7, block(1, b"".join(map(varint, array.shape)))) + data


def real(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def layer(name: str, kind: str, bottom: str, top: str, settings: bytes = b"", blobs=()) -> bytes:
    """LayerParameter, in a NetParameter's field 100."""
    body = block(1, name) + block(2, kind) + block(3, bottom) + block(4, top) + settings
    return block(100, body + b"".join(block(7, one) for one in blobs))


def older(name: str, kind: int, bottom: str, top: str, settings: bytes = b"", blobs=()) -> bytes:
    """V1LayerParameter, in a NetParameter's field 2; its kind is a number."""
    body = block(2, bottom) + block(3, top) + block(4, name) + number(5, kind) + settings
    return block(2, body + b"".join(block(6, one) for one in blobs))


KERNEL = np.arange(2 * 1 * 3 * 3).reshape(2, 1, 3, 3) / 8 - 1
MATRIX = (np.arange(3 * 18) % 7 - 3).reshape(3, 18) / 4


def caffemodel(form: int = 2) -> bytes:
    """A convolution of two 3x3 filters, a ReLU, a dense layer of three, for images of 5x5x1."""
    inputs = block(3, "data") + b"".join(number(4, n) for n in (1, 1, 5, 5))
    conv = number(1, 2) + number(4, 3)  # num_output, kernel_size
    fc = number(1, 3)
    if form == 2:
        return inputs + b"".join(
            [
                layer("conv", "Convolution", "data", "conv", block(106, conv), conv_blobs()),
                layer("relu", "ReLU", "conv", "conv"),
                layer("fc", "InnerProduct", "conv", "fc", block(117, fc), fc_blobs()),
            ]
        )
    return inputs + b"".join(
        [
            older("conv", 4, "data", "conv", block(10, conv), conv_blobs(old=True)),
            older("relu", 18, "conv", "conv"),
            older("fc", 14, "conv", "fc", block(17, fc), fc_blobs(old=True)),
        ]
    )


def conv_blobs(old: bool = False):
    return [
        blob(KERNEL, KERNEL.shape if old else None),
        blob([0.5, -0.25], (1, 1, 1, 2) if old else None),
    ]


def fc_blobs(old: bool = False):
    return [
        blob(MATRIX, (1, 1, 3, 18) if old else None),
        blob([1.0, 2.0, 3.0], (1, 1, 1, 3) if old else None),
    ]
