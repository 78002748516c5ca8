"""The names that PyTorch's networks give their modules, and the paths of the same layers here.

A family is a list of rules: a pattern for a module's name, and the paths that it may have, of which
the net has one. A further family is one more entry of FAMILIES.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Rule = tuple[str, Callable[[re.Match[str]], Sequence[str]]]


def _block(m: re.Match[str], stage: int = 1, block: int = 2) -> str:
    return f"stage{m[stage]}/block{int(m[block]) + 1}"


# torchvision's resnet18 to resnet152, and the ResNets of CIFAR-10 as most people write them
RESNET: list[Rule] = [
    (r"(conv1|bn1)", lambda m: [m[1]]),
    (
        r"layer(\d+)\.(\d+)\.(conv|bn)(\d)",
        lambda m: [f"{_block(m)}/body/{m[3]}{m[4]}"],
    ),
    (
        r"layer(\d+)\.(\d+)\.(?:downsample|shortcut)\.([01])",
        lambda m: [f"{_block(m)}/shortcut/{('conv', 'bn')[int(m[3])]}"],
    ),
    (r"fc|linear|classifier", lambda m: ["fc"]),
]

# timm's resnetv2_*: norms before convolutions
RESNETV2: list[Rule] = [
    (r"stem\.conv", lambda m: ["conv1"]),
    (
        r"stages\.(\d+)\.blocks\.(\d+)\.(norm|conv)(\d)",
        lambda m: [
            f"stage{int(m[1]) + 1}/block{int(m[2]) + 1}/{inside}{_norm(m[3])}{m[4]}"
            for inside in ("body/", "add/body/", "")
        ],
    ),
    (
        r"stages\.(\d+)\.blocks\.(\d+)\.downsample\.conv",
        lambda m: [
            f"stage{int(m[1]) + 1}/block{int(m[2]) + 1}/{inside}shortcut" for inside in ("add/", "")
        ],
    ),
    (r"norm", lambda m: ["bn"]),
    (r"head\.fc", lambda m: ["fc"]),
]

# torchvision's googlenet
INCEPTION = {
    "branch1": "1x1",
    "branch2.0": "3x3/reduce",
    "branch2.1": "3x3/conv",
    "branch3.0": "5x5/reduce",
    "branch3.1": "5x5/conv",
    "branch4.1": "pool/projection",
}
GOOGLENET: list[Rule] = [
    (
        r"conv([123])\.(conv|bn)",
        lambda m: [f"{('conv1', 'conv2_reduce', 'conv2')[int(m[1]) - 1]}/{m[2]}"],
    ),
    (
        r"inception(\d[a-e])\.(branch\d(?:\.\d)?)\.(conv|bn)",
        lambda m: [f"inception_{m[1]}/{INCEPTION.get(m[2], m[2])}/{m[3]}"],
    ),
    (r"aux([12])\.conv\.(conv|bn)", lambda m: [f"aux{m[1]}/body/conv/{m[2]}"]),
    (r"aux([12])\.fc1", lambda m: [f"aux{m[1]}/body/fc"]),
    (r"aux([12])\.fc2", lambda m: [f"aux{m[1]}/body/classifier"]),
    (r"fc", lambda m: ["classifier"]),
]

FAMILIES = {
    "torchvision's ResNet, or one of CIFAR-10": RESNET,
    "timm's resnetv2": RESNETV2,
    "torchvision's GoogLeNet": GOOGLENET,
}


def _norm(word: str) -> str:
    return "bn" if word == "norm" else word


def by_name(modules: Sequence[str], paths: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The family whose names fit most of the modules, and by path the modules that it knows; ""
    where none does.
    """
    known = set(paths)
    best: tuple[str, dict[str, str]] = ("", {})
    for family, rules in FAMILIES.items():
        found: dict[str, str] = {}
        for module in modules:
            for pattern, candidates in rules:
                if match := re.fullmatch(pattern, module):
                    found |= {path: module for path in candidates(match) if path in known}
                    break
        if len(found) > len(best[1]):
            best = family, found
    return best
