"""ResNet-20 and ResNet-56 on CIFAR-10.

    jconv reproduce cifar_resnet20 --download
    jconv reproduce cifar_resnet56 --download

He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition", section 4.2, in the
form of fb.resnet.torch: Nesterov's momentum 0.9, rate 0.1 and a tenth of it from epochs 81 and 122
of 164 on, batches of 128, weight decay 1e-4 of all parameters; images minus their channels' mean,
over their standard deviation, mirrored at random, padded by 4 pixels and cropped. To expect: 91.7
and 93.0 %, within 0.3; not run to its end here. An epoch of ResNet-20 takes 150 s on two cores of
an Intel Xeon with AVX-512 (306 to 352 images/s; two epochs came to 52.0 % of the test images).
"""

from dataclasses import replace

from ..options import TrainOptions
from .published import Published

OPTIONS = TrainOptions(
    model="cifar_resnet20",
    data="cifar10",
    shift=4,
    flip="random",
    epochs=164,
    batch_size=128,
    optimizer="nesterov",
    learning_rate=0.1,
    schedule="step",
    milestones=(81, 122),
    warmup_epochs=0.0,
    weight_decay=1e-4,
    decay="all",
)
SOURCE = "gcr/torch-residual-networks, README"
RESNET20 = Published(OPTIONS, 0.9171, SOURCE)
RESNET56 = Published(replace(OPTIONS, model="cifar_resnet56"), 0.9306, SOURCE)
