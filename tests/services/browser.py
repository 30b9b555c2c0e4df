"""Debian's Chromium, driven by Playwright."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.services.processes import find_program

__all__ = ["open_browser", "screenshot"]

#: No sandbox: it does not run as root with one, and it only sees our own pages.
#: The rest keeps it from talking to anybody else.
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
#: In CSS pixels.
WIDTH, HEIGHT = 1280, 900
#: Milliseconds for a page, and for what is expected on it: Playwright's 30 s and 5 s are too few on
#: a busy machine.
PAGE_PATIENCE, EXPECT_PATIENCE = 120_000, 60_000


@contextlib.contextmanager
def open_browser() -> Iterator[Page]:
    """
    Start a browser with an empty profile and give its page.

    While it is open, an event loop runs in this thread: `asyncio.run` and Prefect's synchronous
    client do not work there, so use them before or after, or in another thread.

    Raises:
        ServerFailed: Chromium is not installed.
    """
    program = find_program("chromium", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.set_default_timeout(PAGE_PATIENCE)
            expect.set_options(timeout=EXPECT_PATIENCE)
            yield page
        finally:
            browser.close()


def screenshot(page: Page, path: Path) -> Path:
    """
    Take a picture of what the page shows.

    Args:
        page: After everything that it shall show is there.
        path: A `.png` file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
    return path
