"""ResNet-50 on ImageNet, in the form of fb.resnet.torch.

    jconv prepare imagenet --out records --size 480
    jconv reproduce resnet50 --data arrayrecord --data-dir records

He et al. 2015, "Deep Residual Learning for Image Recognition"; Gross and Wilber 2016,
fb.resnet.torch: Nesterov's momentum 0.9, batches of 256, rate 0.1 and a tenth of it every 30 of 90
epochs, weight decay 1e-4 of all parameters; random parts of 8 to 100 % of an image at 224x224,
colour jitter 0.4, lighting 0.1, mirrored at random; tested on the middle 224x224 of images whose
shorter side is 256. In bfloat16. To expect: 75.99 %; not run to its end here.
"""

from ..options import TrainOptions
from .published import Published

RECIPE = Published(
    TrainOptions(
        model="resnet50",
        data="arrayrecord",
        image_size=256,
        shift=0,
        flip="random",
        resized_crop=True,
        jitter=0.4,
        lighting=0.1,
        epochs=90,
        batch_size=256,
        optimizer="nesterov",
        learning_rate=0.1,
        schedule="step",
        milestones=(30, 60),
        warmup_epochs=0.0,
        weight_decay=1e-4,
        decay="all",
        dtype="bfloat16",
    ),
    0.7599,
    "fb.resnet.torch, README (24.01 % top-1 error, one crop)",
)
