"""PyTorch's checkpoints: tiny files that torch 2.14 wrote, and the scores that it gave.

The net: conv1 (3x3, 4 filters, padding 1, no bias), bn1, ReLU, conv2 (3x3, 4 filters, stride 2, two
groups), a PReLU per channel, flattened, fc (5 classes), for images of 6x7; every parameter a
multiple of 1/16. The images: (i mod 11 - 5) / 4 for i = 0, 1, ... as (2, 3, 6, 7).
"""

from pathlib import Path

import numpy as np

from jconv import BatchNorm, Conv, Dense, Flatten, PRelu, Relu, Sequential

FILES = Path(__file__).parent / "weights" / "files"
NET = Sequential(
    conv1=Conv(4, 3, padding=1, bias=False),
    bn1=BatchNorm(),
    relu=Relu(),
    conv2=Conv(4, 3, stride=2, groups=2),
    prelu=PRelu(),
    flatten=Flatten(),
    fc=Dense(5),
)
IN_SHAPE = (6, 7, 3)
IMAGES = np.moveaxis(((np.arange(2 * 3 * 6 * 7) % 11 - 5) / 4).reshape(2, 3, 6, 7), 1, -1)
SCORES = np.float32(
    [
        [-12.066905, -18.971266, 37.337467, 41.280003, 2.0758262],
        [2.2071126, 6.644905, -31.265835, 8.611286, -53.656757],
    ]
)
