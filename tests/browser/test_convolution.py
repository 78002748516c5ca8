"""The page Convolution in a browser: what is typed is what is computed, and every control does what
it says.
"""

import re

import jax
import numpy as np
import pytest
from site_server import served

from jconv.data import digits
from jconv.demo.convolution_request import MOST
from jconv.ops import conv

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site():
    """The address of the site; nothing trains on it."""
    from jconv.demo.actions import Site
    from jconv.demo.hub import Hub
    from jconv.demo.images import on_device
    from jconv.demo.trainer import Trainer

    with served(Site(Trainer(on_device(digits()), Hub()), "a-token", "nothing", {})) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def opened(window, site):
    """open(hash, width) gives the page."""

    def open_page(hash="", width=1400, motion="reduce"):
        size = {"width": width, "height": 900}
        page = window(f"{site}/convolution{hash}", viewport=size, reduced_motion=motion)
        page.wait_for_selector("#figure table")
        return page

    return open_page


def shows(page, grid, rows):
    """The cells of a grid, by its label, show these rows in the end."""
    texts = [str(int(n)).replace("-", "\u2212") for n in np.ravel(rows)]
    playwright.expect(page.locator(f'table[aria-label="{grid}"] td')).to_have_text(texts)


def fields(page, name):
    """The cells that can be edited whose names begin so, and their indices."""
    for cell in page.locator(f'#figure input[aria-label^="{name}["]').all():
        label = cell.get_attribute("aria-label")
        yield cell, [int(n) for n in label[len(name) + 1 : -1].split(",")]


def shows_the_notes_output(page):
    shows(page, "y[:,:,0]", [[5, -2, -1], [1, 1, -2], [-1, 1, 5]])
    shows(page, "y[:,:,1]", [[2, 3, 2], [0, 3, -3], [2, -3, 2]])


@pytest.fixture(scope="module")
def typed(browser, site):
    """X[x, y, d] = (x^2 + 2y + dy) mod 3 and Wk[x, y, d] = (x + 2y + d(k + 1) + kxy) mod 3 - 1,
    typed into the page: the address that it then has, and those arrays.
    """
    context = browser.new_context(reduced_motion="reduce")
    page, image, kernel = context.new_page(), np.zeros((5, 5, 3)), np.zeros((3, 3, 3, 2))
    page.goto(f"{site}/convolution")
    page.wait_for_selector("#figure table")
    for cell, (y, x, d) in fields(page, "x"):
        image[y, x, d] = (x**2 + 2 * y + d * y) % 3
        cell.fill(f"{image[y, x, d]:g}")
    for k in (0, 1):
        for cell, (y, x, d) in fields(page, f"W{k}"):
            kernel[y, x, d, k] = (x + 2 * y + d * (k + 1) + k * x * y) % 3 - 1
            cell.fill(f"{kernel[y, x, d, k]:g}")
        page.get_by_label(f"b{k}", exact=True).last.fill(str(1 - k))
    shows_the_notes_output(page)
    address = page.url[page.url.index("#") :]
    context.close()
    return address, image.astype(np.float32), kernel.astype(np.float32)


def test_numbers_typed_give_the_output_of_the_notes(typed, opened):
    page = opened(typed[0])
    shows_the_notes_output(page)
    page.get_by_label("y[1,2,0] =").click()
    playwright.expect(page.locator("#result")).to_contain_text("= \u22122")


def test_backward_shows_the_gradients_of_jax(typed, opened):
    address, image, kernel = typed
    page = opened(address)
    page.get_by_role("tab", name="Backward").click()
    dy = np.zeros((3, 3, 2), np.float32)
    for k in (0, 1):
        for cell, (y, x, _) in [f for f in fields(page, "dY") if f[1][2] == k]:
            dy[y, x, k] = y - 2 * x * k + 1
            cell.fill(f"{dy[y, x, k]:g}")
    f = lambda x, w: conv(x[None], w, stride=2, padding=1, method="lax")[0]
    dx, dw = jax.vjp(f, image, kernel)[1](dy)
    for d in range(3):
        shows(page, f"dX[:,:,{d}]", dx[..., d])
    # a step names its value: what the products on the page add up to
    page.get_by_label("dX[2,3,1] =").click()
    terms = page.locator(".term").all_inner_texts()
    number = lambda text: float(text.strip("()+ ").replace("\u2212", "-"))
    products = [[number(n) for n in t.strip("+ ").split("\u00b7")] for t in terms]
    assert sum(a * b for a, b in products) == dx[2, 3, 1]
    page.get_by_label("gradient of the filters").check()
    for k in (0, 1):
        for d in range(3):
            shows(page, f"dW{k}[:,:,{d}]", dw[..., d, k])
        shows(page, f"db{k} = \u03a3 dY[:,:,{k}]", dy[..., k].sum())


def test_steps_run_along_x_then_y_then_the_filters_and_round(opened):
    page = opened()
    current = lambda name: playwright.expect(page.locator("#result code")).to_have_text(name)
    current("y[0,0,0]")
    page.get_by_label("Step forward").click()
    current("y[0,1,0]")
    page.get_by_label("Step", exact=True).fill("9")
    current("y[0,0,1]")
    assert page.locator("[aria-current=step]").get_attribute("aria-label").startswith("y[0,0,1]")
    page.get_by_label("Step back").click()
    current("y[2,2,0]")
    page.get_by_label("Step", exact=True).fill("17")
    page.get_by_label("Step forward").click()
    current("y[0,0,0]")


def test_it_plays_until_it_is_paused_and_not_where_motion_is_reduced(opened):
    assert opened().locator("#play").inner_text() == "Play"
    page = opened(motion="no-preference")
    playwright.expect(page.locator("#play")).to_have_text("Pause")
    page.get_by_label("Speed").select_option("8")
    playwright.expect(page.locator("#step")).to_have_value(re.compile("[3-9]|1."))
    page.locator("#play").click()
    playwright.expect(page.locator("#play")).to_have_text("Play")
    assert f"step={page.locator('#step').input_value()}" in page.url


def test_the_step_is_a_column_and_a_row_of_the_matrix_product(opened):
    page = opened()
    page.get_by_role("tab", name="im2col").click()
    page.get_by_label("y[1,2,1] =").click()
    read = lambda kind: [
        float(n.replace("\u2212", "-"))
        for n in page.locator(f".matrix-of.{kind} .marked").all_inner_texts()
    ]
    weights, column, (output,) = read("filter"), read("input"), read("output")
    bias = float(page.get_by_label("b1", exact=True).last.input_value())
    assert len(weights) == len(column) == 27 and any(weights) and any(column)
    assert np.dot(weights, column) + bias == output
    assert page.get_by_label("y[1,2,1] =").inner_text().replace("\u2212", "-") == f"{output:g}"


def test_pooling_routes_the_gradient_to_the_switch(opened):
    settings = "#tab=pool&height=4&width=4&depth=1&poolSize=2&poolStride=2"
    page = opened(f"{settings}&input=1,1,2,4,5,6,7,8,3,2,1,0,1,2,3,4&poolGradient=1,2,3,4")
    shows(page, "y[:,:,0]", [[6, 8], [3, 4]])
    shows(page, "dX[:,:,0]", [0, 0, 0, 0, 0, 1, 0, 2, 3, 0, 0, 0, 0, 0, 0, 4])
    assert page.locator("td.winner").count() == 4
    page.get_by_label("y[1,1,0] =").click()
    playwright.expect(page.locator("#result")).to_contain_text("dX[3,3,0]")
    page.get_by_label("Pool window").first.fill("5")
    playwright.expect(page.locator("#error")).to_contain_text("(4 - 5 + 2*0)/2 + 1 = 0.5")
    page.get_by_label("Pool window").first.fill("3")
    playwright.expect(page.locator("#error")).to_have_text("")
    playwright.expect(page.locator("#sizes")).to_contain_text("1.5, rounded down to 1")
    assert page.locator("td.unused").count() == 7


def test_settings_change_the_figure_and_one_that_does_not_fit_says_why(opened):
    page = opened()
    for label, value, grid, cells in (
        ("Stride S", "1", "y[:,:,0]", 25),
        ("Dilation", "2", "y[:,:,0]", 9),
        ("Padding P", "2", "x[:,:,0]", 81),
        ("Filters K", "3", "W2[:,:,2]", 9),
        ("Groups", "3", "W2[:,:,0]", 9),
        ("Input width", "6", "x[:,:,0]", 90),
    ):
        page.get_by_label(label, exact=True).fill(value)
        cell = page.locator(f'table[aria-label="{grid}"] td')
        playwright.expect(cell).to_have_count(cells)
    playwright.expect(page.locator("#sizes")).to_contain_text("the CS231n notes' dilation: 1")
    page.get_by_label("Padding P").first.fill("0")
    page.get_by_label("Input height").fill("4")
    playwright.expect(page.locator("#error")).to_contain_text("(4 - 5 + 2*0)/1 + 1 = 0")
    page.get_by_role("tab", name="Backward").click()
    playwright.expect(page.locator("#error")).to_contain_text("is below 1")
    page.get_by_role("button", name="The CS231n notes' example").click()
    playwright.expect(page.locator("#error")).to_have_text("")


def test_square_makes_the_width_the_height_again(opened):
    page = opened()
    square = page.get_by_label("Square")
    square.uncheck()
    page.get_by_label("Stride S, width").fill("1")
    playwright.expect(page.locator("#sizes")).to_contain_text("Width")
    square.check()
    playwright.expect(square).to_be_checked()
    playwright.expect(page.get_by_label("Stride S", exact=True)).to_have_value("1")
    page.get_by_role("button", name="One row").click()
    playwright.expect(square).not_to_be_checked()
    page.get_by_role("button", name="The CS231n notes' example").click()
    playwright.expect(square).to_be_checked()


def test_fields_take_what_the_server_takes(opened):
    page = opened()
    names = {"height": "input height", "width": "input width", "depth": "input depth"}
    names |= {"poolSize": "pool size", "poolStride": "pool stride"}
    for field in page.locator("#settings input[type=number]").all():
        name = field.get_attribute("id").removesuffix("-width")
        assert int(field.get_attribute("max")) == MOST[names.get(name, name)]
    field = page.get_by_label("Input height")
    field.fill("13")
    playwright.expect(page.locator("#error")).to_contain_text("from 1 to 12")
    field.blur()
    playwright.expect(page.locator("#error")).to_have_text("")
    assert field.input_value() == "5"


def test_examples_and_random_numbers(opened):
    page = opened()
    page.get_by_role("button", name="One row").click()
    shows(page, "y[:,:,0]", [-2, 1, 1])
    page.get_by_role("button", name="Grouped").click()
    playwright.expect(page.locator('table[aria-label="W3[:,:,1]"]')).to_be_visible()
    before = page.url
    page.get_by_role("button", name="Random numbers").click()
    page.wait_for_url(lambda url: url != before)


def test_the_address_tells_the_state(opened):
    page = opened()
    page.get_by_label("x[0,0,0]", exact=True).fill("7")
    page.get_by_role("tab", name="im2col").click()
    page.get_by_label("y[2,1,1] =").click()
    page.wait_for_url(lambda url: "input=7," in url and "step=16" in url)
    again = opened(page.url[page.url.index("#") :])
    assert again.get_by_label("x[0,0,0]", exact=True).input_value() == "7"
    assert again.locator("#result").inner_text() == page.locator("#result").inner_text()
    assert again.get_by_role("tab", name="im2col").get_attribute("aria-selected") == "true"


def test_arrow_keys_move_between_cells_and_tabs(opened):
    page = opened()
    focused = lambda: page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.get_by_label("x[0,0,0]", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert focused() == "x[1,1,0]"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")  # the border is not to be edited
    assert focused() == "x[0,1,0]"
    page.keyboard.press("Tab")
    assert focused() == "x[0,0,1]"  # one stop for each grid
    page.keyboard.type("-")
    assert page.get_by_label("x[0,0,1]", exact=True).get_attribute("aria-invalid") is not None
    page.keyboard.type("3")
    page.wait_for_url(lambda url: "-3" in url.partition("input=")[2].partition("&")[0])
    page.get_by_role("tab", name="Forward").focus()
    page.keyboard.press("ArrowRight")
    playwright.expect(page.get_by_role("tab", name="im2col")).to_be_focused()


@pytest.mark.parametrize("tab", ["forward", "im2col", "backward", "pool"])
def test_on_a_phone_only_figures_scroll_sideways_and_steps_move_nothing(opened, tab):
    page = opened(f"#tab={tab}", width=400)
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    height = page.evaluate("document.documentElement.scrollHeight")
    for _ in range(4):
        page.get_by_label("Step forward").click()
    assert page.evaluate("document.documentElement.scrollHeight") == height


def test_axe_finds_nothing_serious(opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(width=400)
    for tab in ("Forward", "im2col", "Backward", "Max pooling"):
        page.get_by_role("tab", name=tab).click()
        found = axe.Axe().run(page).response["violations"]
        assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
