"""Chromium, and what a person does with the chat page."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.integration.app.process import until

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
# Before any script of the page: what the policy forbids and what goes wrong is kept for the test.
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
window.addEventListener("error", (event) => window.violations.push(String(event.message)));
window.addEventListener("unhandledrejection", (event) => window.violations.push(String(event.reason)));
"""


class Page:
    """The chat page in a browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})

    def open(self, url: str) -> None:
        """Open the page, and wait until it shows the conversation or asks for the code."""
        self.driver.get(url)
        self.shown()

    def shown(self) -> None:
        until("the page", lambda: self.script("return document.querySelector('main:not([hidden])') !== null"))

    def script(self, source: str, *arguments: Any) -> Any:
        return self.driver.execute_script(source, *arguments)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
        return list(self.script(script, selector))

    def asked(self) -> list[str]:
        return self.texts("article.you .body")

    def answers(self) -> list[str]:
        return self.texts("article.assistant:not(.working) .body")

    def say(self, text: str) -> None:
        field = self.one("#text")
        field.send_keys(text)
        field.send_keys(Keys.ENTER)

    def wait_for_answers(self, count: int) -> list[str]:
        return until(f"{count} answers", lambda: a if len(a := self.answers()) >= count else [])

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def focus(self) -> str:
        """Return the id or the name of what has the focus."""
        script = "const one = document.activeElement; return one.id || one.ariaLabel || one.tagName"
        return str(self.script(script))

    def media(self, **features: str) -> None:
        """Set media features, ``prefers_color_scheme="dark"`` for example."""
        given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": given})

    def network(self, *, offline: bool) -> None:
        self.driver.execute_cdp_cmd("Network.enable", {})
        speed = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": offline, **speed})

    def faults(self) -> list[str]:
        """Return what the policy has forbidden, and scripts' errors, since the page was loaded."""
        return list(self.script("return window.violations"))


@contextmanager
def browser(width: int, height: int, *, language: str = "en-US") -> Iterator[Page]:
    """Give a page of ``width`` x ``height`` CSS pixels in a fresh Chromium.

    Raises:
        RuntimeError: Chromium or its driver is not installed.
    """
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        raise RuntimeError("a browser is missing: apt-get install chromium chromium-driver")
    profile = tempfile.mkdtemp(prefix="browser-")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--lang={language}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option(
        "mobileEmulation",
        {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1.0, "touch": False}},
    )
    found = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield Page(found)
    finally:
        found.quit()
        shutil.rmtree(profile, ignore_errors=True)
