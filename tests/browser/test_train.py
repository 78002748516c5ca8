"""The page Train in a browser, against the real server and a real training."""

import io
import json

import jax
import numpy as np
import pytest
from compilations import compilations
from PIL import Image
from site_server import served

from jconv import pattern
from jconv.data import digits
from jconv.data.augmentation import Augmentation
from jconv.train.update import UpdateSettings

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

NET = "INPUT32x32x1 -> CONV5-8 -> RELU -> POOL2 -> CONV5-16 -> RELU -> POOL2 -> FC-10"
SOON = 60_000  # milliseconds, for what has to be compiled
SHORT = NET.replace("POOL2", "POOL").replace("FC-10", "FC")  # as it is written
LINEAR = "INPUT32x32x1 -> FC-10"
SHIFTS = """new Promise((done) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done(sum), 3000);
})"""
PAINTED = """(canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value, i) => i % 4 === 3 && value > 60);
}"""


@pytest.fixture(scope="module")
def trainer():
    from jconv.demo.hub import Hub
    from jconv.demo.images import on_device
    from jconv.demo.trainer import Trainer

    made = Trainer(on_device(digits()), Hub(), augmentation=Augmentation(shift=2))
    made.start(pattern(NET), UpdateSettings("momentum", 0.01, 0.9, 1e-4), 32)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def address(trainer):
    from jconv.demo.actions import Site

    presets = {"a linear classifier": LINEAR}
    with served(Site(trainer, "a-token", "a small net on digits", presets)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def page(window, address):
    made = window(address, viewport={"width": 1400, "height": 900})
    playwright.expect(made.locator("#layers article").first).to_be_visible(timeout=SOON)
    made.wait_for_function("document.getElementById('forward_ms').textContent !== '–'")
    return made


def number(page, name):
    return float(page.locator(f"#{name}").inner_text().replace(",", "").split()[0])


def wait(page, condition):
    page.wait_for_function(f"() => {condition}", timeout=SOON)


def until(page, condition):
    """Wait for what the page does not show."""
    for _ in range(SOON // 100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("waited too long")


def test_the_loss_falls_and_everything_is_shown(page, trainer):
    wait(page, "parseFloat(document.getElementById('accuracy').textContent) > 90")
    assert number(page, "loss") < 0.5
    wait(page, "parseFloat(document.getElementById('validation').textContent) > 90")
    for name in ("decay_loss", "images_per_second", "forward_ms", "backward_ms"):
        assert number(page, name) > 0
    assert page.locator("#graph .curve").get_attribute("d").count("L") > 10
    wait(page, "document.querySelectorAll('#predictions .answer').length === 12")
    playwright.expect(page.locator("#tested")).to_contain_text("were right")
    titles = page.locator("#layers h3").all_inner_texts()
    assert titles[1] == "conv1 Conv 32×32×8" and len(titles) == 9
    first = page.locator("#layers article").nth(1)
    assert "parameters 8×5×5×1 + 8 = 208" in first.inner_text()
    assert first.locator("canvas").count() == 4
    first.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    for canvas in first.locator("canvas").all():
        assert canvas.evaluate(PAINTED), canvas.get_attribute("aria-label")
    assert " to " in first.locator(".range").first.inner_text()


def test_pause_stops_the_counter_and_step_takes_one(page):
    button = page.locator("#pause")
    button.focus()
    page.keyboard.press("Enter")
    playwright.expect(button).to_have_text("Resume")
    playwright.expect(page.locator("#message")).to_have_text("paused")
    before = number(page, "steps")
    page.wait_for_timeout(500)
    assert number(page, "steps") == before
    page.locator("#step").click()
    wait(
        page,
        f"document.getElementById('steps').textContent.replace(/,/g, '') === '{before + 1:.0f}'",
    )
    button.click()
    playwright.expect(button).to_have_text("Pause")
    wait(page, f"document.getElementById('steps').textContent.replace(/,/g, '') > {before + 5}")


def test_settings_act_at_the_next_step_and_compile_nothing(page, trainer):
    page.locator("#pause").click()
    playwright.expect(page.locator("#pause")).to_have_text("Resume")
    live = trainer.live
    trainer.classify(trainer.images.test_images[0])  # the last of its programs is compiled
    with compilations() as compiled:
        for name in ("learning_rate", "momentum"):
            page.locator(f"[name={name}]").fill("0")
            page.locator(f"[name={name}]").press("Enter")
        page.wait_for_timeout(300)
        assert live.hyperparameters["learning_rate"] == live.hyperparameters["momentum"] == 0
        before = jax.tree.map(np.array, live.train.params)
        steps = live.steps
        page.locator("#step").click()
        wait(page, f"document.getElementById('steps').textContent.replace(/,/g, '') > {steps}")
        jax.tree.map(np.testing.assert_array_equal, before, live.train.params)
        page.locator("[name=learning_rate]").fill("0.02")
        page.locator("[name=learning_rate]").press("Tab")
        page.locator("[name=weight_decay]").fill("0.01")
        page.locator("[name=weight_decay]").press("Tab")
        page.locator("#step").click()
        wait(page, f"document.getElementById('steps').textContent.replace(/,/g, '') > {steps + 1}")
        after = jax.tree.map(np.array, live.train.params)
        changed = jax.tree.map(lambda a, b: np.any(a != b), before, after)
        assert all(jax.tree.leaves(changed))
    assert compiled == []
    page.locator("[name=momentum]").fill("0.9")
    page.locator("[name=momentum]").press("Tab")
    decay_loss = number(page, "decay_loss")
    page.locator("#pause").click()
    wait(page, f"parseFloat(document.getElementById('decay_loss').textContent) > 2 * {decay_loss}")
    page.locator("[name=weight_decay]").fill("0.0001")
    page.locator("[name=weight_decay]").press("Tab")


def test_what_cannot_be_set_is_said_and_not_set(page, trainer):
    before = trainer.live.hyperparameters
    field = page.locator("[name=momentum]")
    field.fill("7")
    field.press("Tab")
    playwright.expect(page.locator("#message.error")).to_contain_text("Momentum")
    field.fill("0.9")
    field.press("Tab")
    assert trainer.live.hyperparameters == before


def test_arrows_change_a_setting_by_a_part_of_it(page, trainer):
    field = page.locator("[name=learning_rate]")
    field.fill("0.02")
    field.press("Enter")
    field.press("ArrowUp")
    playwright.expect(field).to_have_value("0.025")
    field.press("ArrowDown")
    playwright.expect(field).to_have_value("0.02")
    page.wait_for_timeout(300)
    assert trainer.live.hyperparameters["learning_rate"] == pytest.approx(0.02)


def test_another_batch_size(page, trainer):
    for batch in (64, 32):
        page.locator("[name=batch_size]").select_option(str(batch))
        until(page, lambda batch=batch: trainer.live.batch == batch)
        playwright.expect(page.locator("[name=batch_size]")).to_have_value(str(batch))


def test_clear_and_start_anew(page, trainer):
    page.locator("#clear").click()
    wait(page, "document.querySelector('#graph .curve').getAttribute('d').split('L').length < 40")
    live = trainer.live
    page.locator("#restart").click()
    until(page, lambda: trainer.live is not live)
    assert trainer.live.programs is live.programs


def test_a_wrong_text_shows_its_place_and_leaves_the_net_alone(page, trainer):
    live, text = trainer.live, page.locator("#text")
    page.locator("#editor > summary").click()
    page.locator("#form").select_option("pattern")
    playwright.expect(text).to_have_value(SHORT)
    text.fill("INPUT32x32x1 -> CNOV5-8 -> FC-10")
    page.locator("#network button[type=submit]").click()
    playwright.expect(page.locator("#network-error")).to_contain_text("column 17")
    assert text.evaluate("(t) => t.selectionStart") == 16
    text.fill("conv1 = Conv(8, 50)\nflatten = Flatten()\nfc = Dense(10)")
    page.locator("#network button[type=submit]").click()
    playwright.expect(page.locator("#network-error")).to_contain_text("conv1: ")
    page.locator("#form").select_option("layers")
    playwright.expect(text).to_have_value(
        "conv1 = Conv(8, 5, padding=2)\nrelu1 = Relu()\n" + text.input_value().split("\n", 2)[2]
    )
    steps = live.steps
    page.wait_for_timeout(300)
    assert trainer.live is live and live.steps > steps


def test_another_net_from_a_preset_and_back_by_a_list(page, trainer):
    page.locator("#editor > summary").click()
    page.locator("#form").select_option("layers")
    before = page.locator("#text").input_value()
    page.locator("#preset").select_option(LINEAR)
    page.locator("#optimizer").select_option("adam")
    page.locator("#network button[type=submit]").click()
    playwright.expect(page.locator("#layers article")).to_have_count(3, timeout=SOON)
    assert trainer.live.programs.update.optimizer == "adam"
    page.locator("#text").fill(before)
    page.locator("#optimizer").select_option("momentum")
    page.locator("#network button[type=submit]").click()
    playwright.expect(page.locator("#layers article")).to_have_count(9, timeout=SOON)
    playwright.expect(page.locator("#message")).to_have_text("training", timeout=SOON)
    wait(page, "parseFloat(document.getElementById('accuracy').textContent) > 95")


def draw(page, strokes):
    """Strokes of points in a square of side 1."""
    box = page.locator("#drawing").bounding_box()
    for first, *rest in strokes:
        at = lambda point: (box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"])
        page.mouse.move(*at(first))
        page.mouse.down()
        for point in rest:
            page.mouse.move(*at(point), steps=4)
        page.mouse.up()


def ring(x, y, rx, ry):
    turn = np.linspace(-0.5 * np.pi, 1.5 * np.pi, 24)
    return [(x + rx * np.cos(t), y + ry * np.sin(t)) for t in turn]


@pytest.mark.parametrize(
    "digit, strokes",
    [
        ("0", [ring(0.5, 0.5, 0.2, 0.32)]),
        ("1", [[(0.38, 0.3), (0.52, 0.15), (0.52, 0.85)]]),
        ("7", [[(0.25, 0.2), (0.72, 0.2), (0.45, 0.85)], [(0.35, 0.5), (0.68, 0.5)]]),
    ],
)
def test_a_drawn_digit_is_recognised(page, digit, strokes):
    wait(page, "parseFloat(document.getElementById('accuracy').textContent) > 97")
    page.locator("#erase").click()
    draw(page, strokes)
    first = page.locator("#answer .answer").first
    playwright.expect(first).to_contain_text(digit)
    assert first.locator("span").first.inner_text() == digit
    assert page.locator("#seen").evaluate(PAINTED) and page.locator("#saliency").evaluate(PAINTED)


def upload(page, name, content):
    page.locator("#upload").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_an_uploaded_image_is_classified(page, trainer):
    wait(page, "parseFloat(document.getElementById('accuracy').textContent) > 97")
    image, label = trainer.images.test_images[3], trainer.images.test_labels[3]
    upload(page, "digit.png", png(Image.fromarray(image[..., 0])))
    first = page.locator("#answer .answer span").first
    playwright.expect(first).to_have_text(str(label))


@pytest.mark.parametrize(
    "content, words",
    [
        (b"<html>", "format"),
        (b"", "format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "format"),
        (png(Image.new("1", (10_000, 5_000))), "10000x5000"),
        (bytes(17 * 2**20), "KiB"),
    ],
    ids=["another type", "empty", "malformed", "50 megapixels", "huge"],
)
def test_what_is_no_image_is_refused_on_the_page(page, content, words):
    upload(page, "image.png", content)
    playwright.expect(page.locator("#try-error")).to_contain_text(words)


def test_a_snapshot_saved_and_loaded_after_a_reload_gives_the_same_answers(page, trainer, tmp_path):
    page.locator("#pause").click()
    playwright.expect(page.locator("#pause")).to_have_text("Resume")
    image = trainer.images.test_images[0]
    before = trainer.classify(image).probabilities
    page.locator("#editor > summary").click()
    with page.expect_download() as coming:
        page.locator("[data-save=jconv]").click()
    file = tmp_path / coming.value.suggested_filename
    coming.value.save_as(file)
    page.locator("#step").click()
    page.wait_for_timeout(300)
    assert (trainer.classify(image).probabilities != before).any()
    page.reload()
    playwright.expect(page.locator("#layers article").first).to_be_visible()
    live = trainer.live
    page.locator("#editor > summary").click()
    page.locator("#load").set_input_files(file)
    until(page, lambda: trainer.live is not live)
    wait(page, "document.getElementById('examples').textContent === '0'")
    np.testing.assert_array_equal(trainer.classify(image).probabilities, before)
    page.locator("#load").set_input_files({"name": "a.json", "mimeType": "", "buffer": b"{}"})
    playwright.expect(page.locator("#snapshot-error")).to_contain_text("the snapshot")
    page.locator("#pause").click()


def test_snapshots_of_convnetjs_go_through_the_box(page, trainer, close):
    page.locator("#pause").click()
    playwright.expect(page.locator("#pause")).to_have_text("Resume")
    image = trainer.images.test_images[0]
    before = trainer.classify(image).probabilities
    page.locator("#editor > summary").click()
    page.locator("#editor details summary").click()
    page.locator("#json-show").click()
    page.wait_for_function("document.getElementById('json').value.length > 1000")
    layers = json.loads(page.locator("#json").input_value())["layers"]
    assert [layer["layer_type"] for layer in layers][:3] == ["input", "conv", "relu"]
    with page.expect_download() as coming:
        page.locator("[data-save=convnetjs]").click()
    assert coming.value.suggested_filename == "snapshot.json"
    live = trainer.live
    page.locator("#json-load").click()
    playwright.expect(page.locator("#message")).to_have_text("paused", timeout=SOON)
    until(page, lambda: trainer.live is not live)
    wait(page, "document.getElementById('examples').textContent === '0'")
    close(trainer.classify(image).probabilities, before, 1e-5)
    page.locator("#json").fill("nonsense")
    page.locator("#json-load").click()
    playwright.expect(page.locator("#snapshot-error")).to_contain_text("snapshot")
    page.locator("#pause").click()


def test_a_link_brings_a_net_and_does_not_start_it(page, window, trainer):
    page.locator("#editor > summary").click()
    page.locator("#preset").select_option(LINEAR)
    page.locator("#share").click()
    wait(page, "location.hash.includes('net=')")
    live = trainer.live
    other = window(page.url)
    playwright.expect(other.locator("#text")).to_be_visible()
    playwright.expect(other.locator("#text")).to_have_value(LINEAR)
    other.wait_for_timeout(500)
    playwright.expect(other.locator("#text")).to_have_value(LINEAR)
    assert trainer.live is live


def test_a_second_tab_shows_the_same_and_may_go(page, window, address):
    other = window(address)
    playwright.expect(other.locator("#layers article").first).to_be_visible()
    other.locator("#pause").click()
    playwright.expect(page.locator("#pause")).to_have_text("Resume")
    other.close()
    page.locator("#pause").click()
    playwright.expect(page.locator("#pause")).to_have_text("Pause")
    before = number(page, "steps")
    wait(page, f"document.getElementById('steps').textContent.replace(/,/g, '') > {before}")


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_used_by_everybody(window, address, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    settings = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    page = window(address, **settings)
    playwright.expect(page.locator("#layers article").first).to_be_visible()
    page.locator("#editor > summary").click()
    found = axe.run(page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_jumps(window, address, width):
    page = window(address, viewport={"width": width, "height": 900}, bypass_csp=False)
    assert page.evaluate(SHIFTS) < 0.1
