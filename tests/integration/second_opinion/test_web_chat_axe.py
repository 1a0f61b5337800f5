"""The web chat's pages, judged by axe-core: WCAG 2.2 A and AA, and its good practices."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.integration.app.browser import Page, browser
from tests.integration.app.conftest import Maker
from tests.integration.app.process import Assistant, until

RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, { resultTypes: ["violations", "incomplete"] }).then(
  (result) => done({
    passes: result.passes.length,
    violations: result.violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 200))]),
  }),
  (error) => done({ error: String(error) }));
"""
SIZES = {"phone": (360, 700), "desktop": (1280, 800)}


@pytest.fixture(scope="module", params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    size, scheme = request.param
    with browser(*SIZES[size]) as made:
        made.media(prefers_color_scheme=scheme)
        yield made


@pytest.fixture(scope="module")
def chat(make_assistant: Maker) -> Assistant:
    made = make_assistant({"ASSISTANT_MAX_TOKENS": "60"})
    made.start()
    return made


@pytest.fixture(scope="module")
def locked(make_assistant: Maker) -> Assistant:
    made = make_assistant({"ASSISTANT_WEB_CHAT_ACCESS": "code"})
    made.start()
    return made


def judge(page: Page, modules: Path) -> Any:
    """Return what axe-core finds; the page's policy holds for the page, not for the driver."""
    source = (modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    page.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": source})
    result = page.driver.execute_async_script(RUN)
    assert "error" not in result, result
    assert result["passes"] > 15
    return result["violations"]


def test_a_fault_is_found(chat: Assistant, page: Page, modules: Path) -> None:
    page.open(chat.url)
    page.script("document.getElementById('send').removeAttribute('aria-label')")
    page.script("document.getElementById('send').removeAttribute('title')")
    assert [rule for rule, _ in judge(page, modules)] == ["button-name"]


def test_the_conversation(chat: Assistant, page: Page, modules: Path) -> None:
    page.open(chat.url)
    found = {"empty": judge(page, modules)}
    page.say("Hello!")
    page.wait_for_answers(1)
    page.say("/help")
    page.wait_for_answers(2)
    page.one(".rating button").click()
    found["talk"] = judge(page, modules)
    page.one("#fresh").click()
    found["dialog"] = judge(page, modules)
    page.one("#confirm-no").click()
    page.network(offline=True)
    page.say("/help")
    until("the problem", lambda: page.one("#problem").text != "")
    found["offline"] = judge(page, modules)
    page.network(offline=False)
    page.wait_for_answers(3)
    page.one("#language").click()
    found["chinese"] = judge(page, modules)
    page.one("#language").click()
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_the_access_code(locked: Assistant, page: Page, modules: Path) -> None:
    page.open(locked.url)
    assert judge(page, modules) == []
    page.one("#code").send_keys("wrong", Keys.ENTER)
    until("the refusal", lambda: page.one("#access-problem").text != "")
    assert judge(page, modules) == []
