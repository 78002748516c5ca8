"""The site of `jconv demo`: its pages, what they listen to, and what they ask for.

Only this machine can reach it, and only its own pages may ask: the host that a request names must
be this machine, a request's origin the site itself, and every question carries the token that is
written into the pages. Every request has a largest size, and nothing that a page sends is ever the
name of a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..errors import JconvError, PatternError
from ..optimizer import OPTIMIZERS
from ..view.templates import environment
from .actions import ACTIONS, Act, Site
from .guard import Refused, check_token, read_body

SITE = Path(__file__).parent / "site"
BROWSER = Path(__file__).parents[1] / "view" / "browser"


class Page(NamedTuple):
    title: str
    template: str


PAGES = {"/": Page("Train", "train.html"), "/convolution": Page("Convolution", "convolution.html")}


def make_app(site: Site) -> Starlette:
    """The application, for a server that ends it by `hub.close()`."""
    env = environment(SITE)

    def page(path: str) -> Callable[[Request], Response]:
        def show(request: Request) -> Response:
            return HTMLResponse(
                env.get_template(PAGES[path].template).render(
                    title=f"{PAGES[path].title} · jconv",
                    heading=site.title,
                    path=path,
                    pages=PAGES,
                    token=site.token,
                    presets=site.presets,
                    optimizers=OPTIMIZERS,
                )
            )

        return show

    async def events(request: Request) -> Response:
        check_token(request.query_params.get("token", ""), site.token)
        listening = site.trainer.hub.listen()
        return StreamingResponse(listening, media_type="text/event-stream")

    def asked(act: Act, most: int) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            check_token(request.headers.get("x-token", ""), site.token)
            body = await read_body(request, most)
            given = {**request.query_params}
            return await asyncio.to_thread(act, site, given, body)

        return answer

    actions = [
        Route(f"/api/{name}", asked(act, most), methods=["POST"])
        for name, (act, most) in ACTIONS.items()
    ]
    return Starlette(
        routes=[
            *(Route(path, page(path)) for path in PAGES),
            Route("/events", events),
            *actions,
            Mount("/static", _Static(SITE, BROWSER)),
        ],
        exception_handlers={JconvError: _wrong, Refused: _refused},
    )


class _Static(StaticFiles):
    """The scripts and styles of two folders."""

    def __init__(self, *folders: Path):
        super().__init__(directory=folders[0])
        self.all_directories = list(folders)

    async def get_response(self, path: str, scope: Any) -> Response:
        if Path(path).suffix not in (".js", ".css"):
            return Response(status_code=404)
        return await super().get_response(path, scope)


def _wrong(request: Request, error: Exception) -> Response:
    said: dict[str, Any] = {"error": str(error)}
    if isinstance(error, PatternError):
        said |= {"line": error.line, "column": error.column, "at": error.at}
    return JSONResponse(said, 400)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"error": error.why}, error.status)
