"""The chat page in a real browser, on a phone's and on a desktop's width, and its requests."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from tests.integration.app.process import Assistant, until

SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
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
)


@pytest.fixture(params=list(SIZES))
def browser(request: pytest.FixtureRequest) -> Iterator[WebDriver]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.fail("a browser is missing: apt-get install chromium chromium-driver")
    profile = tempfile.mkdtemp(prefix="browser-")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={profile}", "--lang=en-US"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    width, height = SIZES[request.param]
    options.add_experimental_option(
        "mobileEmulation", {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1.0}}
    )
    found = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield found
    finally:
        found.quit()
        shutil.rmtree(profile, ignore_errors=True)


def shot(browser: WebDriver, request: pytest.FixtureRequest, name: str) -> None:
    """Keep a picture for people to look at, where SCREENSHOTS names a directory."""
    directory = os.environ.get("SCREENSHOTS")
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(f"{directory}/{name}-{browser.execute_script('return innerWidth')}.png")


def bubbles(browser: WebDriver, who: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
    return list(browser.execute_script(script, f"li.{who} p"))


def say(browser: WebDriver, text: str) -> None:
    field = browser.find_element(By.ID, "text")
    field.send_keys(text)
    field.send_keys(Keys.ENTER)


def test_conversation_in_the_browser(
    assistant: Assistant, browser: WebDriver, request: pytest.FixtureRequest
) -> None:
    browser.get(assistant.url + "/")
    assert "Assistant" in browser.title
    shot(browser, request, "empty")
    say(browser, "/help")
    until("the first answer", lambda: len(bubbles(browser, "assistant")) == 1)
    # Markup in a message is shown, not run.
    say(browser, "<img src=x onerror=alert(1)> 你好")
    until("the second answer", lambda: len(bubbles(browser, "assistant")) == 2)
    assert bubbles(browser, "you") == ["/help", "<img src=x onerror=alert(1)> 你好"]
    assert not browser.find_element(By.ID, "thinking").is_displayed()
    shot(browser, request, "talk")

    # The conversation survives a reload, and its cookie is out of reach of scripts.
    browser.refresh()
    until("the conversation is back", lambda: len(bubbles(browser, "assistant")) == 2)
    assert browser.execute_script("return document.cookie") == ""
    assert [c["httpOnly"] for c in browser.get_cookies()] == [True]

    # Nothing is wider than the screen; what one taps is large enough for a finger (WCAG 2.5.5: 44 px).
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    for button in browser.find_elements(By.CSS_SELECTOR, "button, textarea"):
        assert button.rect["height"] >= 44, button.get_attribute("id")

    browser.find_element(By.ID, "language").click()
    assert browser.find_element(By.ID, "send").text == "发送"
    assert browser.execute_script("return document.documentElement.lang") == "zh-CN"
    shot(browser, request, "chinese")
    browser.find_element(By.ID, "fresh").click()
    until("a new conversation", lambda: not bubbles(browser, "you"))
    assert browser.find_element(By.ID, "welcome").is_displayed()
    # The policy forbids everything that the page does not bring itself: nothing of the page may have met it.
    noise = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert noise == []


def test_a_server_that_is_away_is_reported(
    assistant: Assistant, browser: WebDriver, request: pytest.FixtureRequest
) -> None:
    browser.get(assistant.url + "/")
    browser.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    say(browser, "/help")
    until("the problem is shown", lambda: "not sent" in browser.find_element(By.ID, "problem").text)
    assert browser.find_element(By.ID, "text").get_attribute("value") == "/help"
    shot(browser, request, "offline")
    online = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", online)
    browser.find_element(By.ID, "send").click()
    until("the answer", lambda: len(bubbles(browser, "assistant")) == 1)
    assert not browser.find_element(By.ID, "problem").is_displayed()


def test_page_needs_nothing_but_its_own_files(assistant: Assistant) -> None:
    page = assistant.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_conversations_are_apart_and_the_same_message_counts_once(assistant: Assistant) -> None:
    body = {"id": "0123456789abcdef", "text": "/help"}
    first = assistant.post("/chat/messages", json=body)
    assert first.status_code == 202
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    mine = {"Cookie": cookie.split(";")[0]}
    assert assistant.post("/chat/messages", json=body, headers=mine).status_code == 202
    found = until(
        "the answer",
        lambda: [m for m in assistant.get("/chat/messages", headers=mine).json()["messages"] if m["reply"]],
    )
    assert [m["id"] for m in found] == ["0123456789abcdef"]
    assert assistant.get("/chat/messages").json() == {"messages": []}
    stranger = {"Cookie": "conversation=" + "A" * 43}
    assert assistant.get("/chat/messages", headers=stranger).json() == {"messages": []}
    # Behind the proxy the browser speaks TLS, and then the cookie may not travel without it.
    secure = assistant.post("/chat/messages", json=body, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in secure.headers["Set-Cookie"]


def test_flood_is_refused(assistant: Assistant) -> None:
    assistant.hold.touch()
    try:
        first = assistant.post("/chat/messages", json={"id": "aaaaaaaa0", "text": "HOLD"})
        mine = {"Cookie": first.headers["Set-Cookie"].split(";")[0]}
        answers = [
            assistant.post(
                "/chat/messages", json={"id": f"aaaaaaaa{n}", "text": "HOLD"}, headers=mine
            ).status_code
            for n in range(1, 5)
        ]
    finally:
        assistant.hold.unlink()
    assert answers == [202, 202, 429, 429]
