"""The chat page with the keyboard alone, for screen readers, and its contrast."""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.integration.app.browser import Page, browser
from tests.integration.app.conftest import Maker
from tests.integration.app.process import Assistant, until

# The contrast of every text with what is behind it (WCAG 2.2, 1.4.3: at least 4.5), and of what marks fields
# and buttons (1.4.11: at least 3).
CONTRAST = """
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const parts = numbers(colour).slice(0, 3).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const behind = (one) => {
  for (; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    const [, , , alpha = 1] = numbers(colour);
    if (alpha === 1) return colour;
  }
  return "rgb(255, 255, 255)";
};
const ratio = (one, two) => {
  const [high, low] = [light(one), light(two)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
const found = [];
for (const one of document.querySelectorAll("body *")) {
  if (!one.checkVisibility()) continue;
  const style = getComputedStyle(one);
  const says = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (says || one.matches("textarea, input"))
    found.push(["text", one.outerHTML.slice(0, 60), ratio(style.color, behind(one))]);
  if (one.matches("button > svg:not(.unseen)"))
    found.push(["icon", one.outerHTML.slice(0, 60), ratio(style.color, behind(one))]);
  if (one.matches("#form, #code"))
    found.push(["edge", one.outerHTML.slice(0, 60), ratio(style.borderTopColor, behind(one.parentElement))]);
}
return found;
"""
# What every screen reader needs, as axe-core's rules of the same names want it.
RULES = """
const problems = [];
const name = (one) => one.ariaLabel || one.labels?.[0]?.textContent || one.textContent;
const named = "button, a, input:not([hidden]), textarea, [role=group], [role=log]";
for (const one of document.querySelectorAll(named))
  if (!name(one).trim()) problems.push(`no name: ${one.outerHTML.slice(0, 80)}`);
const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
for (const id of ids) if (ids.filter((other) => other === id).length > 1) problems.push(`id twice: ${id}`);
for (const kind of ["aria-describedby", "aria-labelledby"])
  for (const one of document.querySelectorAll(`[${kind}]`))
    for (const id of one.getAttribute(kind).split(" ")) if (!ids.includes(id)) problems.push(`no ${id}`);
for (const one of document.querySelectorAll("[tabindex]"))
  if (one.tabIndex > 0) problems.push(`tabindex: ${one.outerHTML.slice(0, 80)}`);
for (const tag of ["h1", "main"]) {
  const visible = [...document.querySelectorAll(tag)].filter((one) => one.checkVisibility());
  if (visible.length !== 1) problems.push(tag);
}
for (const one of document.querySelectorAll("*"))
  if (one.scrollHeight > one.clientHeight + 1 && ["auto", "scroll"].includes(getComputedStyle(one).overflowY)
      && one.checkVisibility() && one.tabIndex < 0 && !one.querySelector("input, button, textarea"))
    problems.push(`cannot be scrolled with keys: ${one.outerHTML.slice(0, 80)}`);
if (!document.documentElement.lang) problems.push("lang");
const viewport = document.querySelector("meta[name=viewport]").content;
if (/user-scalable=no|maximum-scale/.test(viewport)) problems.push("zoom");
return problems;
"""


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


@pytest.fixture
def page() -> Iterator[Page]:
    with browser(1280, 800) as made:
        yield made
        assert made.faults() == []


def focus_on(page: Page, wanted: str, key: str = Keys.TAB) -> None:
    """Press ``key`` until ``wanted`` has the focus, as somebody without a mouse would."""
    for _ in range(30):
        page.press(key)
        if page.focus() == wanted:
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


def test_a_conversation_without_a_mouse(chat: Assistant, page: Page) -> None:
    page.open(chat.url)
    page.script("document.activeElement.blur()")
    # The first stop leads past the buttons.
    page.press(Keys.TAB)
    assert page.script("return document.activeElement.className") == "skip"
    assert page.script("return document.activeElement.getBoundingClientRect().top") >= 0
    page.press(Keys.ENTER)
    until("the field", lambda: page.focus() == "text")
    page.press("Hello!", Keys.ENTER)
    page.wait_for_answers(1)
    assert page.focus() == "text"
    back = Keys.SHIFT + Keys.TAB
    focus_on(page, "Bad answer", back)
    # A ring shows where one is.
    assert page.script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press(Keys.SPACE)
    rated = "return document.activeElement.getAttribute('aria-pressed')"
    until("rated", lambda: page.script(rated) == "true")
    focus_on(page, "log", back)
    page.press(Keys.ESCAPE)
    assert page.focus() == "text"

    focus_on(page, "fresh", back)
    page.press(Keys.ENTER)
    until("the question", lambda: page.one("#confirm").is_displayed())
    # The dialog keeps the focus, and Escape leaves it for where one was.
    assert page.focus() == "confirm-no"
    page.press(Keys.ESCAPE)
    until("the question is gone", lambda: not page.one("#confirm").is_displayed())
    assert page.focus() == "fresh"
    assert page.asked() == ["Hello!"]
    page.press(Keys.ENTER)
    focus_on(page, "confirm-yes")
    page.press(Keys.ENTER)
    until("an empty page", lambda: page.asked() == [])
    assert page.focus() == "text"


def test_what_a_screen_reader_is_told(chat: Assistant, locked: Assistant, page: Page) -> None:
    page.open(locked.url)
    assert page.script(RULES) == []
    assert page.one("#code").accessible_name == "Access code"
    page.open(chat.url)
    assert page.script(RULES) == []
    page.say("Hello!")
    page.wait_for_answers(1)
    page.say("/help")
    page.wait_for_answers(2)
    assert page.script(RULES) == []
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    found = {(value(node, "role"), value(node, "name")) for node in tree if not node["ignored"]}
    for wanted in (
        ("log", "Conversation"),
        ("textbox", "Your message"),
        ("button", "Send"),
        ("button", "New chat"),
        ("button", "Dark colours"),
        ("button", "切换到中文"),
        ("button", "Copy"),
        ("group", "Rate this answer"),
        ("button", "Good answer"),
        ("heading", "You"),
        ("heading", "Assistant"),
        ("link", "Skip to the message field"),
    ):
        assert wanted in found, wanted
    log = next(node for node in tree if value(node, "role") == "log")
    assert {"live": "polite"}.items() <= properties(log).items()
    # An answer is read out once, when it is whole.
    assert page.script("return document.querySelectorAll('[aria-busy]').length") == 0


def value(node: dict[str, Any], name: str) -> str:
    return str(node.get(name, {}).get("value", ""))


def properties(node: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["value"].get("value") for one in node["properties"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(chat: Assistant, locked: Assistant, page: Page, scheme: str) -> None:
    page.media(prefers_color_scheme=scheme)
    page.open(chat.url)
    measured = page.script(CONTRAST)
    page.say("Hello!")
    page.wait_for_answers(1)
    page.one(".rating button").click()
    measured += page.script(CONTRAST)
    page.network(offline=True)
    page.say("/help")
    until("the problem", lambda: page.one("#problem").text != "")
    measured += page.script(CONTRAST)
    page.network(offline=False)
    page.open(locked.url)
    page.press("wrong", Keys.ENTER)
    until("the refusal", lambda: page.one("#access-problem").text != "")
    measured += page.script(CONTRAST)
    assert {kind for kind, _, _ in measured} == {"text", "icon", "edge"}
    assert len(measured) > 40
    low = [one for one in measured if one[2] < (4.5 if one[0] == "text" else 3)]
    assert low == []


def test_who_wants_no_motion_gets_none(chat: Assistant, page: Page) -> None:
    moving = "return getComputedStyle(document.querySelector('.dots span')).animationName"
    page.open(chat.url)
    chat.hold.touch()
    try:
        page.say("HOLD")
        until("the dots", lambda: page.texts(".dots") != [])
        assert page.script(moving) == "breathe"
        page.media(prefers_reduced_motion="reduce")
        assert page.script(moving) == "none"
    finally:
        chat.hold.unlink()


def test_letters_twice_as_large_fit(chat: Assistant) -> None:
    with browser(640, 800) as page:
        page.open(chat.url)
        page.script("document.documentElement.style.fontSize = '200%'")
        page.say("Hello!")
        page.wait_for_answers(1)
        assert page.script("return document.documentElement.scrollWidth") == 640
        assert page.one("#send").is_displayed()
