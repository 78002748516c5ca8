"""What a training says to the pages that watch it: numbers after every call, the rest as often as a
small share of the time allows.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import jax
import numpy as np

from .hub import Hub
from .images import Images
from .live import Live
from .network import network_texts
from .panels import as_gradient, as_image, input_sizes, layer_maps, layer_rows
from .program import SHOWN, Steps
from .statistics import Graph, Share, Window, finite

SHARE = 0.05  # of the time, for looks at the net
EVERY = {"graph": 0.5, "layers": 0.25, "predictions": 1.0}  # seconds at least between two looks
TESTED = 200  # test images that the running accuracy is over, as in ConvNetJS's demo
VALIDATED = 500


class Showing:
    """What was seen of a net's training, and when it was last shown. Of one thread."""

    def __init__(self, hub: Hub, images: Images, seed: int, batches: tuple[int, ...]):
        self.hub, self.images, self.batches = hub, images, batches
        self.draws = np.random.default_rng(seed)
        self.clear()

    def clear(self) -> None:
        """Begin the graph and the means anew."""
        self.window, self.graph = Window(), Graph()
        self.validation, self.tested = Share(VALIDATED), Share(TESTED)
        self.due = dict.fromkeys(EVERY, 0.0)  # the time from which it may be shown again
        self.at = dict.fromkeys(EVERY, -1)  # the step that was shown last

    def begin(self, live: Live) -> None:
        """Another net."""
        self.clear()
        self.hub.forget(*EVERY)
        net, shape = live.programs.net, self.images.in_shape
        self.hub.say(
            "net",
            {
                "input": "×".join(map(str, shape)),
                "input_sizes": input_sizes(shape),
                "classes": list(self.images.class_names),
                "layers": layer_rows(net, shape),
                "texts": network_texts(net, shape),
                "optimizer": live.programs.update.optimizer,
                "batches": list(self.batches),
                "parameters": sum(a.size for a in jax.tree.leaves(live.train.params)),
            },
        )
        self.say("")
        self.state(live)

    def say(self, text: str, error: bool = False) -> None:
        """A line for people; "" takes it away."""
        self.hub.say("message", {"text": text, "error": error})

    def count(self, live: Live, steps: Steps) -> None:
        """The steps of a call."""
        n, decay = len(steps.loss), live.hyperparameters["weight_decay"]
        numbers = [np.asarray(each, float).tolist() for each in steps]
        for i, (loss, correct, squares) in enumerate(zip(*numbers, strict=True)):
            self.window.add(loss, decay * squares, correct / live.batch)
            self.graph.add(live.examples - (n - 1 - i) * live.batch, loss + decay * squares)

    def show(self, live: Live) -> None:
        """The numbers, and what is due beside them; nothing where nobody looks."""
        if not self.hub.watched:
            return
        self.state(live)
        looks: dict[str, Callable[[Live], bool]] = {
            "graph": self._graph,
            "layers": self._layers,
            "predictions": self._predictions,
        }
        for name, look in looks.items():
            start = perf_counter()
            if start >= self.due[name] and self.at[name] != live.steps and look(live):
                self.at[name] = live.steps
                cost = (perf_counter() - start) * len(looks) / SHARE
                self.due[name] = start + max(EVERY[name], cost)

    def state(self, live: Live) -> None:
        means, each, forward = self.window.means(), live.step_seconds, live.forward_seconds
        per_example = 1e3 / live.batch  # of seconds of a batch, in milliseconds
        self.hub.say(
            "state",
            {
                "examples": live.examples,
                "steps": live.steps,
                "paused": live.paused,
                "batch_size": live.batch,
                **{name: float(f"{value:.6g}") for name, value in live.hyperparameters.items()},
                **means._asdict(),
                "validation": self.validation.message(),
                "images_per_second": live.batch / each if each else None,
                "forward_ms": forward * per_example if forward and each else None,
                "backward_ms": max(each - forward, 0) * per_example if forward and each else None,
            },
        )

    def _graph(self, live: Live) -> bool:
        self.hub.say("graph", self.graph.message())
        return True

    def _layers(self, live: Live) -> bool:
        """One training image through the net and back, and a batch of those held out."""
        programs = live.programs
        if not programs.has("look"):
            return False
        row = self.draws.choice(self.images.rows)
        image, label = self.images.images[row], self.images.labels[row]
        seen = jax.device_get(programs.look(*live.arrays, image[None], np.int32(label)))
        params = jax.device_get(live.train.params)
        self.hub.say(
            "layers",
            {
                "image": as_image(image),
                "label": int(label),
                "gradient": as_gradient(seen.x[0]),
                "layers": layer_maps(programs.net, self.images.in_shape, params, seen),
            },
        )
        if programs.has(("forward", live.batch)):
            self._validate(live)
        return True

    def _validate(self, live: Live) -> None:
        rows = self.draws.choice(self.images.held, live.batch)
        images, labels = self.images.images[rows], self.images.labels[rows]
        start = perf_counter()
        logits = np.asarray(live.programs.forward(live.batch)(*live.arrays, images))
        live.forward_seconds = perf_counter() - start
        self.validation.add(logits.argmax(1) == labels)

    def _predictions(self, live: Live) -> bool:
        if not live.programs.has("averaged"):
            return False
        rows = self.draws.choice(len(self.images.test_labels), SHOWN)
        images, labels = self.images.test_images[rows], self.images.test_labels[rows]
        draw = np.uint32(self.draws.integers(2**32))
        found = np.asarray(live.programs.averaged(*live.arrays, images, draw))
        self.tested.add(found.argmax(1) == labels)
        shown = [
            {"image": as_image(image), "label": int(label), "best": best_classes(row)}
            for image, label, row in zip(images, labels, found, strict=True)
        ]
        self.hub.say("predictions", {"shown": shown, **self.tested.message()})
        return True


def best_classes(probabilities: np.ndarray, count: int = 3) -> list[list[float]]:
    """(class, probability) of the most probable, the first first."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [[int(k), float(f"{finite(probabilities[k]) or 0:.4g}")] for k in order]
