import builtins
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from jconv.demo.images import on_device
from jconv.demo.network import read_network
from jconv.models.trained import load_trained
from jconv.scripts import demo


@pytest.mark.parametrize(
    "shape, count", [((32, 32, 1), 5), ((32, 32, 3), 5), ((28, 28, 1), 4), ((7, 7, 1), 2)]
)
def test_presets_fit_the_images(shape, count):
    """28x28 is halved twice, not three times."""
    presets = demo.fitting_presets(shape, 10)
    assert len(presets) == count
    for text in presets.values():
        assert read_network(text, shape, 10, 32).out_shape(shape) == (10,)


def test_the_net_that_is_wanted_has_a_score_for_each_class(images):
    options = demo.Options(data="folder", data_dir=images, model="lenet5")
    data = demo.images(options, None)
    assert demo.wanted_net("lenet5", (32, 32, 1), 2).out_shape((32, 32, 1)) == (2,)
    assert demo.wanted_net(None, (32, 32, 1), 2).out_shape((32, 32, 1)) == (2,)
    assert on_device(data).class_names == ("dark", "light")


def test_a_port_that_is_taken_is_named_with_the_option(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert demo.main(["--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert f"--port {port}: is in use" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--port", "70000"], "--port 70000: 0 to 65535 was expected"),
        (["--data", "letters"], "letters"),
        (["--model", "lenet55"], "unknown model 'lenet55'"),
        (["--model", "vgg16", "--data", "digits", "--classes", "3"], "no option --classes"),
        (["--batch-size", "3"], "--batch-size 3: one of 1, 2, 4"),
        (["--weights", "absent"], "absent: there is no such run folder"),
        (["--data", "folder", "--data-dir", "absent"], "absent"),
        (["--learning-rate", "-1"], "--learning-rate -1.0: more than 0"),
    ],
)
def test_wrong_options_are_one_line(arguments, words, capsys):
    assert demo.main([*arguments, *(["--port", "0"] if "--port" not in arguments else [])]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_what_is_not_installed_is_said(monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("jconv.demo"):
            raise ModuleNotFoundError("no", name="uvicorn")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert demo.main([]) == 2
    assert "uvicorn is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "number, code",
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.exhaustive),
    ],
)
def test_it_serves_until_it_is_told_to_end_and_saves_the_net(number, code, images, tmp_path):
    command = [sys.executable, "-m", "jconv", "demo", "--port", "0", "--out", str(tmp_path / "o")]
    command += ["--data", "folder", "--data-dir", str(images), "--model", "INPUT32x32x1 -> FC-2"]
    environment = {**os.environ, "XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    try:
        address = re.search(r"http://127.0.0.1:\d+", process.stdout.readline())
        assert address is not None
        with urllib.request.urlopen(address[0]) as answer:
            token = re.search(r'name="token" content="([^"]+)"', answer.read().decode())
        assert token is not None
        with urllib.request.urlopen(f"{address[0]}/events?token={token[1]}") as events:
            while not next(events).startswith(b"event: state"):  # it trains
                pass
            time.sleep(0.2)
            process.send_signal(number)
            said, complaints = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code and complaints == ""
    assert "saved: " in said
    assert load_trained(tmp_path / "o").weights.class_names == ("dark", "light")
