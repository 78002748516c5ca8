"""What a page may ask for, each a function of the site, the parameters of the address and the body
of the request.

A further one is such a function and a line of ACTIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from starlette.responses import JSONResponse, Response

from .convolution import computed
from .guard import KIB, MIB, Refused
from .network import read_network
from .panels import as_image, packed
from .showing import best_classes
from .trainer import Trainer
from .uploads import (
    drawn_image,
    json_object,
    read_snapshot,
    uploaded_image,
    write_snapshot,
)


class Site(NamedTuple):
    trainer: Trainer
    token: str
    title: str  # what is trained on what
    presets: Mapping[str, str]  # texts of nets, by name


Act = Callable[[Site, dict[str, str], bytes], Response]
DONE: dict[str, Any] = {}


def _control(site: Site, given: dict[str, str], body: bytes) -> Response:
    trainer, word = site.trainer, json_object(body).get("do")
    acts: dict[Any, Callable[[], None]] = {
        "pause": lambda: trainer.pause(True),
        "resume": lambda: trainer.pause(False),
        "step": trainer.step,
        "clear": trainer.clear,
        "restart": lambda: trainer.begin(trainer.going().programs.net),
    }
    if not isinstance(word, str) or word not in acts:
        raise Refused(400, f"{word!r:.40}: one of {', '.join(acts)} was expected")
    acts[word]()
    return JSONResponse(DONE)


def _settings(site: Site, given: dict[str, str], body: bytes) -> Response:
    site.trainer.change(json_object(body))
    return JSONResponse(DONE)


def _network(site: Site, given: dict[str, str], body: bytes) -> Response:
    asked, trainer = json_object(body), site.trainer
    text, optimizer = asked.get("text"), asked.get("optimizer")
    if not isinstance(text, str) or not isinstance(optimizer, (str, type(None))):
        raise Refused(400, "a text and an optimizer were expected")
    images = trainer.images
    net = read_network(text, images.in_shape, len(images.class_names), trainer.going().batch)
    trainer.begin(net, optimizer)
    return JSONResponse(DONE)


def _classify(site: Site, given: dict[str, str], body: bytes) -> Response:
    shape = site.trainer.images.in_shape
    read = drawn_image if given.get("kind") == "drawing" else uploaded_image
    image = read(body, shape)
    answer = site.trainer.classify(image)
    return JSONResponse(
        {
            "image": as_image(image),
            "saliency": packed(np.asarray(answer.saliency)[None]),
            "best": best_classes(answer.probabilities, 5),
        }
    )


def _save(site: Site, given: dict[str, str], body: bytes) -> Response:
    form = given.get("form", "jconv")
    return Response(
        write_snapshot(site.trainer.snapshot(), form), media_type="application/octet-stream"
    )


def _load(site: Site, given: dict[str, str], body: bytes) -> Response:
    site.trainer.load(read_snapshot(body))
    return JSONResponse(DONE)


def _convolution(site: Site, given: dict[str, str], body: bytes) -> Response:
    return JSONResponse(computed(json_object(body)))


# what a page may ask for: its name, what answers, and the most bytes that it may send
ACTIONS: dict[str, tuple[Act, int]] = {
    "control": (_control, KIB),
    "settings": (_settings, KIB),
    "network": (_network, 256 * KIB),
    "classify": (_classify, 16 * MIB),
    "save": (_save, KIB),
    "load": (_load, 128 * MIB),
    "convolution": (_convolution, 256 * KIB),
}
