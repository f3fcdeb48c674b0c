"""A real browser at the size of a phone and of a desk."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
SIZES = {"phone": (390, 844), "desk": (1280, 900)}
AGENTS = {
    "phone": "Mozilla/5.0 (Linux; Android 14) Mobile Safari",
    "desk": "Mozilla/5.0 (X11; Linux x86_64) Chrome",
}

BROWSER = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=sorted(SIZES))
def page(request, chromium):
    """A page of one size; nothing on it may fail to load or run."""
    width, height = SIZES[request.param]
    page = chromium.new_page(
        viewport={"width": width, "height": height}, user_agent=AGENTS[request.param]
    )
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: "Content Security" in said.text and problems.append(said.text))
    page.size_name = request.param
    yield page
    assert problems == []


@pytest.fixture
def look(page):
    """Check that nothing hangs over the side; keep a picture where ``SCREENSHOTS`` says."""

    def look(name):
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}-{page.size_name}.png", full_page=True)

    return look
