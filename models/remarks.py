"""Where a published figure about a net of the zoo is not the net's own: what was said, and what is
true.

`jconv summary MODEL` prints these below the table. What else of the CS231n notes is not so: dense
evaluation equals its crops for nets without padding only, and half the stride takes four passes,
not two (jconv/edit/dense.py); three 224x224x64 volumes with gradients take 73.5 MiB, not 72 MB
(jconv/analysis/linting.py); no symmetric padding fits a 3-wide window of stride 2 on 32 pixels;
their dilation 0 is dilation 1 here; convolutions are 5 wide at most, not at least; the rule that
windows fit exactly is broken by GoogLeNet, ResNet, Network in Network, ZFNet, All-CNN and
AlexNet-OWT, whose published rounding is kept.
"""

NOT_EXACT = (
    "the CS231n notes call sizes that do not fit exactly invalid; this net has some, as "
    "published, and rounds them"
)
DILATION = "the CS231n notes count dilation from 0; here 1 is the dense convolution"
ALL_CNN = "the paper's table 3 prints {} M parameters; by arithmetic it is {}"

REMARKS = {
    "vgg16": (
        "the CS231n notes' total is 24M values, 93 MB an image; their own rows sum to 15,237,608 "
        "values, 60.95 MB",
        "the CS231n notes have the early convolutions take the most time; stages 3 and 4 take "
        "59.8% of the multiply-adds, stage 1 12.5%",
    ),
    "googlenet": (
        "the CS231n notes say 4M parameters; it is 6,998,552 without the auxiliary heads, "
        "13,378,280 with",
        NOT_EXACT,
    ),
    "alexnet": (
        "the CS231n notes give it five pools and 7x7x512 values before its dense layers, which is "
        "VGG-16; it has three, and 6x6x256",
        "the paper's 224 pixels fit no padding that is the same on both sides; 227 do",
        "the paper prints 253,440 neurons for the first layer; 55x55x96 is 290,400",
    ),
    "tiny_vgg": ("the CS231n notes say 7000 parameters; it is 6,440",),
    "all_cnn_a": (ALL_CNN.format("1.28", "1,254,250"), NOT_EXACT),
    "all_cnn_b": (ALL_CNN.format("1.35", "1,300,618"), NOT_EXACT),
    "all_cnn_c": (ALL_CNN.format("1.4", "1,369,738"), NOT_EXACT),
    "dilated_frontend": (DILATION,),
    "context_basic": (DILATION,),
    "context_large": (DILATION,),
    "alexnet_owt": (NOT_EXACT,),
    "nin": (NOT_EXACT,),
    "zfnet": (NOT_EXACT,),
    **{f"resnet{n}": (NOT_EXACT,) for n in (18, 34, 50, 101, 152)},
}
