"""The network of ConvNetJS's CIFAR-10 demo: three 5x5 convolutions, 22,466 parameters.

    jconv reproduce convnetjs_cifar10 --download

Karpathy 2014, ConvNetJS, demo/cifar10.html: images shifted by up to 2 pixels and mirrored, values
as value/255 - 0.5, weight decay 1e-4. The demo trains by Adadelta, four images at a time, for as
long as its page stays open, and says that its weights reach about 80 %; those that it ships reach
72.68 % of CIFAR-10's test images saved as JPEG. Here Adam trains 64 images at a time with a rate
that falls along a cosine, and an average of the parameters is tested. To expect, on the JPEG copy:
75.3 % of the test images, and 77.2 % by the mean of each and its mirror image (`jconv evaluate RUN
--views mirrored`; the demo takes the mean of six views), in 7 minutes on two cores of an Intel Xeon
with AVX-512.
"""

from ..options import TrainOptions
from .published import Published

RECIPE = Published(
    TrainOptions(
        model="convnetjs",
        data="cifar10",
        shift=2,
        flip="random",
        epochs=28,
        batch_size=64,
        optimizer="adam",
        learning_rate=0.004,
        warmup_epochs=1.0,
        weight_decay=1e-4,
        ema=0.998,
    ),
    0.80,
    'ConvNetJS, demo/cifar10.html ("~80%", six views averaged)',
)
