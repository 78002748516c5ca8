import shutil

import pytest

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync", "--no-first-run"]
ARGUMENTS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="session")
def browser():
    """A Chromium that is installed."""
    playwright = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as p:
        made = p.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture
def window(browser):
    """window(url, **settings) opens a page in a context of its own; what its scripts complain of
    fails the test. (That a request was refused, which Chromium tells too, is no complaint.)
    """
    contexts, complaints = [], []

    def told(message):
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def open_window(url, **settings):
        # waiting for a condition evaluates text, which the policy of the pages forbids
        contexts.append(browser.new_context(**{"bypass_csp": True, **settings}))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", told)
        page.goto(url)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []
