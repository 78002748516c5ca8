"""The net of the single-GPU speed runs on CIFAR-10, 32x32x3: 1,971,640 parameters.

Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", after Page 2018 and tysam-code 2023:
a 2x2 convolution whose kernel whitens and is not trained (`jconv.data.whitening_kernel`; `init`
draws another), blocks of two 3x3 convolutions that begin as identities as far as channels go, batch
norms without a scale, max pooling throughout, and scores divided by 9.
"""

from jconv import BatchNorm, Conv, Dense, Flatten, Gelu, Layer, MaxPool, Normalize, Sequential
from jconv.layers import partial_identity, torch_uniform

INPUT = (32, 32, 3)
GELU = Gelu(approximate=False)


def block(features: int) -> Layer:
    conv = lambda: Conv(features, 3, padding=1, bias=False, kernel_init=partial_identity())
    norm = lambda: BatchNorm(decay=0.6, eps=1e-12, scale=False)
    return Sequential(
        conv1=conv(), pool=MaxPool(2), bn1=norm(), gelu1=GELU, conv2=conv(), bn2=norm(), gelu2=GELU
    )


def cifar94(classes: int = 10) -> Layer:
    return Sequential(
        whiten=Conv(24, 2),  # 31x31x24
        gelu=GELU,
        block1=block(64),  # 15x15x64
        block2=block(256),  # 7x7x256
        block3=block(256),  # 3x3x256
        pool=MaxPool(3),  # 1x1x256
        flatten=Flatten(),
        fc=Dense(classes, bias=False, kernel_init=torch_uniform()),
        ninth=Normalize(std=9.0),
    )
