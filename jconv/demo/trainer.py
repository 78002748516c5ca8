"""A training in a thread of its own, which pages watch and change while it goes on."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace
from threading import Thread
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..data.augmentation import Augmentation
from ..data.pixels import PixelScale
from ..errors import InputError
from ..layer import Layer, Params, State
from ..train.update import LIVE, UpdateSettings
from ..weights import Weights
from .asking import Asking
from .hub import Hub
from .images import Images, batches
from .live import Live
from .network import check_network
from .program import Answer, Programs
from .settings import BATCHES, check_batch, check_setting
from .showing import Showing

IDLE = 0.2  # seconds between two looks at what is asked for, with nothing to train
Trees = tuple[Params, State]


class Trainer:
    """Trains, and says through a hub what there is to see.

    One thread trains and owns all that changes; others ask it to do something between two of its
    calls. A second thread compiles, so that the training goes on meanwhile.
    """

    def __init__(
        self,
        images: Images,
        hub: Hub,
        *,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ):
        self.images, self.hub, self.seed = images, hub, seed
        self.augmentation = augmentation or Augmentation()
        self.showing = Showing(hub, images, seed, BATCHES)
        self.live: Live | None = None
        self.stopping = False
        self.wanted = 0  # the number of the newest net that was asked for
        self.thread = Thread(target=self._run, name="train", daemon=True)
        self.asking = Asking(self.thread)
        compiler = Thread(target=self._compile_all, name="compile", daemon=True)
        self.compiling = Asking(compiler)

    def start(
        self,
        net: Layer,
        update: UpdateSettings,
        batch: int,
        weights: Weights | None = None,
    ) -> None:
        """Train a net from new weights, or show one with these, paused. Raises InputError."""
        check_batch(batch)
        self._check(net, batch)
        self.thread.start()
        self.compiling.thread.start()
        pixels = weights.pixels if weights else self.images.pixels
        trees = (weights.params, weights.state) if weights else None
        self._compile(net, update, batch, pixels, trees, weights is not None)

    def stop(self) -> None:
        """End after the call that is under way."""
        self.stopping = True
        if self.thread.is_alive():
            self.asking.ask(lambda: None)  # wakes it
            self.thread.join()
        self.asking.refuse()
        if self.busy:
            self.compiling.thread.join(2 * IDLE)
        self.compiling.refuse()

    @property
    def busy(self) -> bool:
        """Whether something is still being compiled, which nothing can stop."""
        return self.compiling.thread.is_alive()

    def begin(self, net: Layer, optimizer: str | None = None) -> None:
        """Train another net from new weights once it is compiled; the one that trains goes on until
        then. Raises InputError for one that does not fit.
        """
        live = self.going()
        self._check(net, live.batch)
        update = replace(live.programs.update, **live.hyperparameters)
        if optimizer is not None:
            update = replace(update, optimizer=optimizer)
        self._compile(net, update, live.batch, live.programs.settings.pixels, None, False)

    def load(self, weights: Weights) -> None:
        """Go on with a snapshot. Raises InputError for one of other images or classes."""
        live = self.going()
        if weights.in_shape != self.images.in_shape:
            raise InputError(
                f"the snapshot is for images of {weights.in_shape}, {self.images.in_shape} were "
                "expected"
            )
        self._check(weights.net, live.batch)
        if not all(np.isfinite(a).all() for a in jax.tree.leaves((weights.params, weights.state))):
            raise InputError("the snapshot holds numbers that are not finite")
        update = replace(live.programs.update, **live.hyperparameters)
        trees = (weights.params, weights.state)
        self._compile(weights.net, update, live.batch, weights.pixels, trees, live.paused)

    def change(self, wanted: Mapping[str, Any]) -> None:
        """Another rate, momentum, decay or batch size from the next call on; nothing is compiled
        but for a batch size that was not used before. Raises InputError.
        """
        live = self.going()
        batch = wanted.get("batch_size", live.batch)
        check_batch(batch)
        self._check(live.programs.net, batch)
        settings = {name: value for name, value in wanted.items() if name != "batch_size"}
        for name, value in settings.items():
            check_setting(name, value)
        self.asking.ask(lambda: self._set(settings)).result()
        if batch != live.batch:
            self.showing.say(f"compiling for batches of {batch}")
            self.compiling.ask(lambda: self._compile_batch(live.programs, batch))

    def pause(self, paused: bool) -> None:
        self.asking.ask(lambda: self._pause(paused)).result()

    def step(self) -> None:
        """Pause, and take one step."""
        self.asking.ask(lambda: self._pause(True, owed=1)).result()

    def clear(self) -> None:
        """Begin the graph and the means anew."""
        self.asking.ask(self.showing.clear).result()

    def classify(self, image: np.ndarray) -> Answer:
        """What the net says of an image (H, W, C) uint8, as it is now."""
        program = self.going().programs.answer  # compiled by this thread, if it is not yet
        found = self.asking.ask(lambda: program(*self.going().arrays, image[None])).result()
        return Answer(*map(np.asarray, found))

    def snapshot(self) -> Weights:
        """The net as it is now."""
        self.going()  # raises

        def taken() -> Weights:
            live = self.going()
            params, state = jax.tree.map(np.array, live.arrays)
            names, pixels = self.images.class_names, live.programs.settings.pixels
            return Weights(live.programs.net, self.images.in_shape, names, params, state, pixels)

        return self.asking.ask(taken).result()

    def going(self) -> Live:
        """What trains. Raises InputError before there is any."""
        if self.live is None:
            raise InputError("the net is still being compiled; wait a moment")
        return self.live

    def _check(self, net: Layer, batch: int) -> None:
        check_network(net, self.images.in_shape, len(self.images.class_names), batch)

    # in the thread that compiles

    def _compile(
        self,
        net: Layer,
        update: UpdateSettings,
        batch: int,
        pixels: PixelScale,
        trees: Trees | None,
        paused: bool,
    ) -> None:
        self.wanted += 1
        number = self.wanted
        self.showing.say("compiling the net")

        def work() -> None:
            if number != self.wanted or self.stopping:
                return  # another was asked for meanwhile
            try:
                self._replace(number, net, update, batch, pixels, trees, paused)
            except Exception as error:  # a compiler's, of a net that it refuses
                text = f"this net cannot be trained here: {error!s:.300}"
                self.showing.say(text, error=True)

        self.compiling.ask(work)

    def _compile_all(self) -> None:
        while not self.stopping:
            self.compiling.answer(IDLE)

    def _replace(
        self,
        number: int,
        net: Layer,
        update: UpdateSettings,
        batch: int,
        pixels: PixelScale,
        trees: Trees | None,
        paused: bool,
    ) -> None:
        programs = self._programs(net, update, pixels)
        train = programs.first()
        if trees is not None:
            train = train.begun_with(*jax.tree.map(jnp.array, trees))
        program = programs.steps(batch, *self.images.on_device)
        order = batches(self.images.rows, batch, self.seed)
        live = Live(programs, train, batch, program, order, paused)
        self.asking.ask(lambda: self._begin(live)).result()
        looks = programs.looks(batch)
        while number == self.wanted and not self.stopping and next(looks, None):
            pass

    def _programs(self, net: Layer, update: UpdateSettings, pixels: PixelScale) -> Programs:
        """Those of the net that trains, if they serve; its rates are no part of them."""
        live = self.live
        if live is not None:
            rates = {name: getattr(live.programs.update, name) for name in LIVE}
            same = (live.programs.net, live.programs.update, live.programs.settings.pixels)
            if same == (net, replace(update, **rates), pixels):
                return live.programs
        return Programs(net, self.images.in_shape, update, pixels, self.augmentation, self.seed)

    def _compile_batch(self, programs: Programs, batch: int) -> None:
        try:
            program = programs.steps(batch, *self.images.on_device)
            programs.forward(batch)
        except Exception as error:  # of a device without memory, say
            self.showing.say(f"batches of {batch} cannot be trained: {error!s:.300}", error=True)
        else:
            self.asking.ask(lambda: self._set_batch(programs, batch, program))

    # in the thread that trains

    def _run(self) -> None:
        while not self.stopping:
            live = self.live
            idle = live is None or (live.paused and not live.owed)
            self.asking.answer(IDLE if idle else 0)
            live = self.live
            if live is None or self.stopping:
                continue
            try:
                if live.owed or not live.paused:
                    self._advance(live)
                self.showing.show(live)
            except Exception as error:  # of a device without memory, say: the pages stay
                live.paused, live.owed = True, 0
                self.showing.say(f"the training stopped: {error!s:.300}", error=True)
                traceback.print_exception(error)

    def _advance(self, live: Live) -> None:
        steps = live.advance(self.images)
        self.showing.count(live, steps)
        if not np.isfinite(steps.loss).all():
            live.paused = True
            text = "the loss is no longer finite: lower the rate and start the net anew"
            self.showing.say(text, error=True)

    def _begin(self, live: Live) -> None:
        if self.live is not None:  # what was set while this one was compiled
            live.set(self.live.hyperparameters)
        self.live = live
        self.showing.begin(live)

    def _set(self, settings: dict[str, float]) -> None:
        live = self.going()
        live.set(settings)
        self.showing.state(live)

    def _set_batch(self, programs: Programs, batch: int, program: Any) -> None:
        live = self.going()
        if live.programs is programs:  # and not another net's by now
            live.batch, live.program = batch, program
            live.step_seconds = live.forward_seconds = 0.0
            live.order = batches(self.images.rows, batch, self.seed, live.examples)
            self.showing.say("")
            self.showing.state(live)

    def _pause(self, paused: bool, owed: int = 0) -> None:
        live = self.going()
        live.paused, live.owed = paused, owed
        self.showing.state(live)
