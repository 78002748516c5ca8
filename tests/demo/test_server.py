import io
import time

import numpy as np
import pytest
from PIL import Image
from site_server import Client, served

from jconv.demo.actions import ACTIONS, Site
from jconv.demo.server import PAGES


@pytest.fixture(scope="module")
def site(trainer):
    return Site(trainer, "the-token", "stripes <b>", {"linear & small": "INPUT -> FC-3"})


@pytest.fixture(scope="module")
def client(site):
    with served(site) as port:
        yield Client(port, "the-token")


def png(array):
    file = io.BytesIO()
    Image.fromarray(np.asarray(array, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("path", PAGES)
def test_pages_hold_the_token_and_no_markup_of_others(client, path):
    answer = client.get(path)
    assert answer.status_code == 200 and 'content="the-token"' in answer.text
    assert "stripes <b>" not in answer.text
    assert "http://" not in answer.text and "https://" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ACTIONS)
def test_without_the_token_nothing_is_answered(client, name):
    for token in ("", "another", "thé-token".encode("latin-1")):
        answer = client.post(f"/api/{name}", json={}, headers={"x-token": token})
        assert answer.status_code == 403 and "load it again" in answer.json()["error"]
    assert client.get("/events?token=other").status_code == 403
    assert client.get(f"/api/{name}").status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "example.org"},
        {"host": "127.0.0.1.example.org:80"},
        {"host": "127.0.0.1:1"},
        {"host": ""},
        {"origin": "http://example.org"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
    ],
)
def test_other_hosts_and_origins_are_refused(client, headers):
    assert client.get("/", headers=headers).status_code == 403
    answer = client.post("/api/control", json={"do": "pause"}, headers=headers)
    assert answer.status_code == 403 and "on this machine" in answer.json()["error"]


def test_localhost_is_this_machine(client):
    for name in ("localhost", "LocalHost"):
        assert client.get("/", headers={"host": f"{name}:{client.port}"}).status_code == 200


@pytest.mark.parametrize("name", ACTIONS)
def test_requests_have_a_largest_size(client, name):
    most = ACTIONS[name][1]
    if most > 2**20:
        answer = client.post(
            f"/api/{name}", content=b"x", headers={"content-length": str(most + 1)}
        )
    else:
        answer = client.post(f"/api/{name}", content=b"x" * (most + 1))
        parts = (b"x" * 1000 for _ in range(most // 1000 + 2))  # of no length that is told
        assert client.post(f"/api/{name}", content=parts).status_code == 413
    assert answer.status_code == 413 and "KiB" in answer.json()["error"]


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/train.html", "/static/%2e%2e/hub.py", "/static/x.js"]
)
def test_only_scripts_and_styles_are_files(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", ["train.js", "maps.js", "train.css"])
def test_scripts_and_styles_are_served(client, name):
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] in ("text/javascript", "text/css")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"do": 3}', b'{"do": "explode"}', b'{"do": {}}'])
def test_a_control_that_there_is_not(client, body):
    answer = client.post("/api/control", content=body)
    assert answer.status_code == 400 and answer.json()["error"]


def test_pause_and_resume(client, trainer):
    assert client.post("/api/control", json={"do": "pause"}).status_code == 200
    assert trainer.live.paused
    assert client.post("/api/settings", json={"learning_rate": 0.03}).status_code == 200
    assert trainer.live.hyperparameters["learning_rate"] == pytest.approx(0.03)
    assert client.post("/api/control", json={"do": "resume"}).status_code == 200
    assert not trainer.live.paused
    wrong = client.post("/api/settings", json={"learning_rate": "fast"})
    assert wrong.status_code == 400 and "a number" in wrong.json()["error"]


def test_a_wrong_net_is_told_with_its_place(client, trainer):
    live = trainer.live
    answer = client.post("/api/network", json={"text": "INPUT -> CNOV3-4 -> FC-3"})
    assert answer.status_code == 400
    assert (answer.json()["line"], answer.json()["column"]) == (1, 10)
    assert client.post("/api/network", json={"text": 3}).status_code == 400
    answer = client.post("/api/network", json={"text": "INPUT -> FC-3", "optimizer": "magic"})
    assert answer.status_code == 400 and "unknown optimizer" in answer.json()["error"]
    assert trainer.live is live


def test_images_and_drawings_are_classified(client):
    answer = client.post("/api/classify", content=png(np.full((20, 30, 3), 90)))
    found = answer.json()
    assert answer.status_code == 200 and len(found["best"]) == 3
    assert (found["saliency"]["height"], found["image"]["width"]) == (8, 8)
    drawing = np.zeros((50, 50))
    drawing[10:20] = 255
    assert client.post("/api/classify?kind=drawing", content=png(drawing)).status_code == 200
    refused = client.post("/api/classify?kind=drawing", content=png(np.zeros((5, 5))))
    assert refused.status_code == 400 and "nothing is drawn" in refused.json()["error"]
    assert client.post("/api/classify", content=b"no image").status_code == 400


@pytest.mark.parametrize("form", ["jconv", "convnetjs"])
def test_snapshots_are_saved_and_loaded(client, trainer, form):
    saved = client.post(f"/api/save?form={form}")
    assert saved.status_code == 200
    live = trainer.live
    assert client.post("/api/load", content=saved.content).status_code == 200
    end = time.monotonic() + 60
    while trainer.live is live:
        assert time.monotonic() < end
        time.sleep(0.01)
    wrong = client.post("/api/load", content=b"nothing")
    assert wrong.status_code == 400 and "/tmp" not in wrong.json()["error"]


def test_convolutions_are_computed(client):
    answer = client.post("/api/convolution", json={"nothing": 1})
    assert answer.status_code == 400 and answer.json()["error"]
