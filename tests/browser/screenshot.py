"""`make screenshot`: the README's picture, taken of the running product on its own demo stream, in a real Chromium.

Usage: python -m tests.browser.screenshot OUT.png
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from service.cli.demo import CLIP
from service.cli.live_origin import LiveOrigin
from tests.browser.conftest import FLAGS
from tests.e2e.product import Product, running, wait_until

ALERT_WITHIN_S = 60.0
SIZE = {"width": 1280, "height": 860}


def take(product: Product, stream_url: str, out: Path) -> None:
    """Watch the stream until it has raised an alert that goes on, then take the page."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is not installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        page.goto(product.base_url)
        product.watch(stream_url, name="Living room")
        page.get_by_text("Living room").first.click()
        wait_until(lambda: any(alert["incident_state"] == "open" for alert in product.alerts()), ALERT_WITHIN_S, "open alert")
        page.wait_for_timeout(1500)
        page.screenshot(path=out)
        browser.close()


def main() -> None:
    """See the module."""
    with LiveOrigin(CLIP) as origin, running() as product:
        take(product, origin.url, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
