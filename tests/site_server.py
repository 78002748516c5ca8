"""The demo's site in a thread, and a client that asks it as a browser would."""

import json
import threading
from contextlib import contextmanager
from http.client import HTTPConnection


class Answer:
    def __init__(self, response):
        self.status_code, self.content = response.status, response.read()
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    @property
    def text(self):
        return self.content.decode()

    def json(self):
        return json.loads(self.content)


class Client:
    def __init__(self, port, token):
        self.port, self.token = port, token

    def get(self, path, headers=None):
        return self._ask("GET", path, None, headers or {})

    def post(self, path, content=b"", headers=None, **given):
        body = json.dumps(given["json"]).encode() if "json" in given else content
        return self._ask("POST", path, body, {"x-token": self.token, **(headers or {})})

    def _ask(self, method, path, body, headers):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"host": f"127.0.0.1:{self.port}", **headers})
            return Answer(connection.getresponse())
        finally:
            connection.close()


@contextmanager
def served(site):
    """The site at a port that is free; gives the port."""
    import uvicorn

    from jconv.demo.guard import Guarded
    from jconv.demo.server import make_app
    from jconv.scripts.demo import listen

    with listen(0) as listening:
        port = listening.getsockname()[1]
        app = Guarded(make_app(site), port)
        config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            site.trainer.hub.close()
            server.should_exit = True
            thread.join(10)
