"""The demo from its beginning to its end: a trainer, the site, and a server that ends cleanly."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import uvicorn

from ..cli.signals import signals
from ..data import Dataset
from ..data.augmentation import Augmentation
from ..errors import InputError
from ..layer import Layer
from ..train.update import UpdateSettings
from ..weights import Weights
from .actions import Site
from .guard import Guarded, new_token
from .hub import Hub
from .images import on_device
from .server import make_app
from .trainer import Trainer

PATIENCE = 2  # seconds that open connections have to end


def serve(
    listening: socket.socket,
    data: Dataset,
    net: Layer,
    update: UpdateSettings,
    *,
    batch: int,
    augmentation: Augmentation,
    weights: Weights | None,
    seed: int,
    title: str,
    presets: Mapping[str, str],
    ready: Callable[[str], Any],
) -> Ended:
    """Serve the pages at a socket that listens, until SIGINT or SIGTERM. `ready` is called with the
    address.

    Raises InputError for a net that does not fit the images.
    """
    hub = Hub()
    trainer = Trainer(on_device(data), hub, augmentation=augmentation, seed=seed)
    trainer.start(net, update, batch, weights)
    host, port = listening.getsockname()[:2]
    app = Guarded(make_app(Site(trainer, new_token(), title, presets)), port)
    try:
        with signals() as told:
            server = _Server(_config(app), hub, lambda: ready(f"http://{host}:{port}"))
            server.run(sockets=[listening])
        try:
            last = trainer.snapshot()
        except InputError:  # nothing was compiled yet
            last = weights
    finally:
        trainer.stop()
    return Ended(told(), last, trainer.busy)


class Ended(NamedTuple):
    """How a demo ended: the number of the signal, the net as it was then, None if there was none
    yet, and whether a compilation goes on that would keep the process alive.
    """

    number: int
    net: Weights | None
    busy: bool


class _Server(uvicorn.Server):
    """One that says when it is ready, and ends what pages listen to when it is told to end."""

    def __init__(self, config: uvicorn.Config, hub: Hub, ready: Callable[[], Any]):
        super().__init__(config)
        self.hub, self.ready = hub, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.hub.close()
        await super().shutdown(sockets=sockets)


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=PATIENCE,
        access_log=False,
        server_header=False,
    )
