"""The one-file page in a browser, opened from the file system: its scores are JAX's, and every way
to give it an image works.
"""

import base64
import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from standalone_nets import CLASSES, NETS, SHAPE

from jconv.data import load
from jconv.data.image import to_array
from jconv.data.pixels import PixelScale, scaled
from jconv.scripts import export, train
from jconv.view.standalone import write_standalone
from jconv.weights import Weights, load_weights

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

PIXELS = PixelScale((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
STAGE = """[...document.getElementById("stage").getContext("2d")
    .getImageData(0, 0, 240, 240).data]"""
LARGE = """() => {
    const chosen = new DataTransfer(), input = document.getElementById("file");
    chosen.items.add(new File([new Uint8Array(41e6)], "large.png"));
    input.files = chosen.files;
    input.dispatchEvent(new Event("change"));
}"""
CLASSIFY = """images => images.map((text) =>
    [...jconv.classify(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)))])"""


@pytest.fixture
def opened(browser):
    """open(path, **settings) -> the page of a file; nothing may be said on its console."""
    contexts, said = [], []

    def open_file(path, **settings):
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if remote(request) else None)
        page.goto(path.as_uri())
        page.wait_for_function("window.jconv")
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not said


def remote(request):
    return not request.url.startswith(("file:", "data:", "blob:"))


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    """The page of a LeNet-5 trained on the digits, and its weights."""
    folder = tmp_path_factory.mktemp("lenet5")
    settings = ["--model", "lenet5", "--data", "digits", "--epochs", "2"]
    assert train.main([*settings, "--out", str(folder / "run")]) == 0
    path = folder / "lenet5.html"
    assert export.main([str(folder / "run"), "--to", "html", "--out", str(path)]) == 0
    return path, load_weights(folder / "run" / "weights.safetensors")


def scores(page, images):
    return np.array(
        page.evaluate(CLASSIFY, [base64.b64encode(i.tobytes()).decode() for i in images])
    )


def jax_scores(weights, images):
    x = scaled(jnp.asarray(images), weights.pixels)
    y, _ = jax.jit(weights.net.apply)(weights.params, weights.state, x)
    return np.reshape(y, (len(images), -1))


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def given(page, name, data, kind="image/png"):
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})


def message(page, words):
    page.wait_for_function(
        "words => document.getElementById('message').textContent.includes(words)", arg=words
    )


def test_ten_digits_have_the_scores_of_jax(lenet, opened, close):
    path, weights = lenet
    assert path.stat().st_size < 2e6
    page, test = opened(path), load("digits").test
    images = np.asarray(test.images[:10])
    found, wanted = scores(page, images), jax_scores(weights, images)
    close(found, wanted, 1e-4)
    assert (found.argmax(1) == test.labels[:10]).sum() >= 9
    assert page.evaluate("jconv.apart") < 1e-5
    assert "agree with JAX" in page.inner_text("#agreement")


@pytest.mark.parametrize("name", NETS)
def test_every_kind_of_layer_gives_the_scores_of_jax(name, filled, rng, opened, tmp_path, close):
    weights = Weights(NETS[name], SHAPE, CLASSES, *filled(NETS[name], SHAPE), PIXELS)
    write_standalone(tmp_path / "net.html", weights)
    images = rng.integers(0, 256, (3, *SHAPE), dtype=np.uint8)
    close(scores(opened(tmp_path / "net.html"), images), jax_scores(weights, images), 1e-4)


def test_a_file_is_cropped_and_resized_as_pillow_does(lenet, opened, rng):
    path, weights = lenet
    page = opened(path)
    for size in ((100, 61), (9, 14)):
        image = Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).resize((83, 47))
        for source in (image, image.convert("L")):
            url = "data:image/png;base64," + base64.b64encode(png(np.asarray(source))).decode()
            found = page.evaluate(
                """async (url) => {
                    const image = await createImageBitmap(await (await fetch(url)).blob());
                    return [...jconv.pixelsOf(image, image.width, image.height)];
                }""",
                url,
            )
            wanted = to_array(source, (32, 32, 1)).ravel()
            assert np.abs(np.array(found, int) - wanted).max() <= 1


def test_files_that_are_no_image_are_refused_with_a_message(lenet, opened, rng):
    page = opened(lenet[0])
    before = page.inner_text("#best")
    given(page, "notes.txt", b"no image", "text/plain")
    message(page, "notes.txt is not an image that this browser reads")
    page.evaluate(LARGE)
    message(page, "large.png has 41 MB, at most 40")
    given(page, "huge.png", png(np.zeros((7000, 7000), np.uint8)))
    message(page, "huge.png has 49 megapixels, at most 40")
    assert page.inner_text("#best") == before
    given(page, "small.png", png(rng.integers(0, 256, (40, 30, 3), np.uint8)))
    message(page, "small.png, 30×40")
    assert page.inner_text("#best") != before


def test_a_drawn_digit_is_recognised(lenet, opened):
    page = opened(lenet[0])
    page.click("#draw")
    box = page.locator("#stage").bounding_box()
    at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.move(*at(0.5, 0.2))
    page.mouse.down()
    for angle in np.linspace(0, 2 * np.pi, 24):
        page.mouse.move(*at(0.5 - 0.17 * np.sin(angle), 0.5 - 0.3 * np.cos(angle)))
    page.mouse.up()
    assert page.inner_text("#best li:first-child b") == "0"
    page.click("#draw")
    assert not any(page.evaluate(STAGE)[::4]), "drawing again begins with an empty pad"


def test_the_camera_is_live_until_it_is_stopped(lenet, opened):
    page = opened(lenet[0])
    taken = "document.getElementById('seen').toDataURL()"
    page.click("#camera")
    message(page, "Live")
    for _ in range(3):
        page.wait_for_function(f"before => {taken} !== before", arg=page.evaluate(taken))
    page.click("#camera")
    assert page.get_attribute("#camera", "aria-pressed") == "false"
    last = page.evaluate(taken)
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert page.evaluate(taken) == last


def test_without_a_camera_that_is_said(lenet, opened):
    page = opened(lenet[0])
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page.click("#camera")
    message(page, "no camera")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_axe_finds_nothing(width, scheme, lenet, opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(lenet[0], viewport={"width": width, "height": 900}, color_scheme=scheme)
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_layers_are_columns_in_execution_order_walked_by_keys(lenet, opened):
    page = opened(lenet[0], viewport={"width": 400, "height": 800})
    names = page.eval_on_selector_all(".column b", "all => all.map((b) => b.textContent)")
    assert names == "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 fc4 relu4 fc5".split()
    maps = page.locator("[aria-label='Map of conv2']")
    maps.focus()
    page.keyboard.press("ArrowDown")
    assert "map 2 of 16" in page.inner_text("#closer-kind")
    assert "map 2 of 16, from" in maps.get_attribute("aria-valuetext")
    assert maps.locator("canvas").count() == 10
    page.click("text=+6 >> nth=0")
    assert maps.locator("canvas").count() == 16
    assert page.evaluate("document.documentElement.scrollWidth") == 400


def test_the_classes_shown_are_the_best_five(lenet, opened):
    path, weights = lenet
    page = opened(path)
    page.click("[aria-label='Test image of 3']")
    about = json.loads(path.read_text("utf-8").split('id="program">')[1].split("</script>")[0])
    wanted = np.argsort(about["examples"][3]["scores"])[::-1][:5]
    shown = page.eval_on_selector_all("#best b", "all => all.map((b) => b.textContent)")
    assert shown == [str(k) for k in wanted]
    assert page.inner_text("#status").startswith(shown[0])
