"""The chat page in a real browser: conversations, failures, languages, colours, sizes, the access code."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.integration.app.browser import Page, browser
from tests.integration.app.conftest import Maker
from tests.integration.app.process import SECRETS, Assistant, until
from tests.integration.app.story import told_by
from tests.integration.app.test_web_chat import Visitor

CODE = SECRETS["web_chat_access_code"]
LONG = {"ASSISTANT_MAX_TOKENS": "120"}


@pytest.fixture(scope="module")
def chat(make_assistant: Maker) -> Assistant:
    made = make_assistant(LONG)
    made.start()
    return made


@pytest.fixture
def storyteller(make_assistant: Maker) -> Iterator[Assistant]:
    with told_by(make_assistant) as made:
        yield made


@pytest.fixture
def page() -> Iterator[Page]:
    with browser(1280, 800) as made:
        yield made
        # The policy forbids everything that the page does not bring itself: nothing of it may have met that.
        assert made.faults() == []


@pytest.fixture
def phone() -> Iterator[Page]:
    with browser(320, 640) as made:
        yield made
        assert made.faults() == []


def test_a_conversation(chat: Assistant, page: Page) -> None:
    page.open(chat.url)
    assert page.driver.title == "AI Assistant"
    page.say("/help")
    page.wait_for_answers(1)
    # Markup in a message is shown, not run.
    page.say("<img src=x onerror=alert(1)> 你好")
    page.wait_for_answers(2)
    assert page.asked() == ["/help", "<img src=x onerror=alert(1)> 你好"]
    assert page.one("#status").text == ""
    # The conversation survives a reload, and its cookie is out of reach of scripts.
    page.open(chat.url)
    page.wait_for_answers(2)
    assert page.script("return document.cookie") == ""
    assert [c["httpOnly"] for c in page.driver.get_cookies()] == [True]


def test_an_answer_grows_before_it_is_whole(storyteller: Assistant, page: Page) -> None:
    page.open(storyteller.url)
    # What a reader sees, each time that something changes, and whether it is marked as unfinished.
    page.script(
        """
        window.seen = [];
        new MutationObserver(() => {
          const item = document.querySelector("article.assistant");
          if (!item) return;
          window.seen.push([item.querySelector(".body").textContent, item.getAttribute("aria-busy")]);
        }).observe(document.getElementById("log"), { childList: true, subtree: true, attributes: true });
        """
    )
    page.say("Tell me a long story.")
    page.wait_for_answers(1)
    seen = page.script("return window.seen")
    unfinished = [text for text, busy in seen if busy == "true"]
    lengths = [len(text) for text, _ in itertools.groupby(unfinished)]
    # How many steps a reader sees depends on how busy the machine is; that there are several is the point.
    assert len(lengths) > 2
    assert lengths[0] < lengths[-1]
    assert seen[-1][1] is None


def test_a_question_that_waits_its_turn(make_assistant: Maker, page: Page) -> None:
    busy = make_assistant({"ASSISTANT_PARALLEL": "1"})
    busy.start()
    busy.hold.touch()
    try:
        others = [Visitor(busy) for _ in range(3)]
        for other in others:
            other.say("HOLD")
        until("all threads are taken", lambda: busy.marker.exists() and len(busy.marker.read_text()) == 3)
        page.open(busy.url)
        page.say("And I?")
        until("the wait is told", lambda: page.one("#status").text.startswith("3 questions are before yours"))
    finally:
        busy.hold.unlink()
    page.wait_for_answers(1)
    until("it is over", lambda: page.one("#status").text == "")


def test_a_server_that_is_away(chat: Assistant, page: Page) -> None:
    page.open(chat.url)
    page.network(offline=True)
    page.say("/help")
    until("it is told", lambda: page.one("#problem").text.startswith("The server cannot be reached"))
    assert page.texts("article.you .state") == ["Sending…"]
    page.one("#text").send_keys("a draft")
    # Neither what could not be sent nor what is being written is lost with the tab's page.
    page.network(offline=False)
    page.driver.get("about:blank")
    page.open(chat.url)
    page.wait_for_answers(1)
    assert page.asked() == ["/help"]
    assert page.one("#text").get_attribute("value") == "a draft"
    assert page.one("#problem").text == ""
    assert page.texts("article.you .state") == []


def test_a_server_that_restarts_in_mid_answer(storyteller: Assistant, page: Page) -> None:
    made = storyteller
    page.open(made.url)
    page.say("Tell me a long story.")
    until("the answer begins", lambda: page.texts("article.assistant.working .body") not in ([], [""]))
    made.kill()
    page.say("/help")
    until("it is told", lambda: page.one("#problem").text != "")
    made.start()
    answers = page.wait_for_answers(2)
    assert page.asked() == ["Tell me a long story.", "/help"]
    assert answers[1].startswith("Write me a message")
    assert page.one("#problem").text == ""
    assert made.count("inbox") == 2


def test_an_answer_that_failed_can_be_asked_for_again(chat: Assistant, page: Page) -> None:
    page.open(chat.url)
    page.say("/help")
    page.wait_for_answers(1)
    visitor = Visitor(chat, Cookie="; ".join(f"{c['name']}={c['value']}" for c in page.driver.get_cookies()))
    chat.execute(f"UPDATE inbox SET state = 'dead' WHERE id = {visitor.messages()[0]['number']}")
    page.open(chat.url)
    until("the failure", lambda: page.texts("article.failed .state") == ["No answer"])
    assert page.texts("article .rating") == []
    page.one(".again").click()
    page.wait_for_answers(2)
    assert page.asked() == ["/help", "/help"]
    assert page.texts("article.failed .state") == ["No answer"]


def test_a_text_that_is_too_long_stays_with_its_writer(chat: Assistant, page: Page) -> None:
    page.open(chat.url)
    page.script(
        "const field = document.getElementById('text'); field.value = 'x'.repeat(4005);"
        "field.dispatchEvent(new Event('input', { bubbles: true }));"
    )
    assert page.one("#problem").text == "5 characters too many: 4000 is the most."
    page.one("#text").send_keys(Keys.ENTER)
    assert len(page.one("#text").get_attribute("value") or "") == 4005
    page.one("#text").send_keys(Keys.BACKSPACE * 5)
    assert page.one("#problem").text == ""
    page.one("#text").send_keys(Keys.ENTER)
    assert page.one("#text").get_attribute("value") == ""
    page.wait_for_answers(1)


def test_an_answer_is_rated(chat: Assistant, page: Page) -> None:
    page.open(chat.url)
    page.say("Hello!")
    page.wait_for_answers(1)
    pressed = lambda: page.script(  # noqa: E731 - short, and used here alone
        "return [...document.querySelectorAll('.rating button')].map((b) => b.getAttribute('aria-pressed'))"
    )
    assert pressed() == ["false", "false"]
    before = chat.count("ratings")
    page.one(".rating button[aria-label='Good answer']").click()
    until("thanks", lambda: page.one("#status").text == "Thank you for your rating.")
    assert pressed() == ["true", "false"]
    page.one(".rating button[aria-label='Bad answer']").click()
    until("the other one", lambda: pressed() == ["false", "true"])
    until("the server has it", lambda: chat.rows("SELECT score FROM ratings ORDER BY id DESC")[0][0] == -1)
    assert chat.count("ratings") == before + 1
    page.open(chat.url)
    page.wait_for_answers(1)
    assert pressed() == ["false", "true"]


def test_languages(chat: Assistant, page: Page) -> None:
    page.open(chat.url)
    assert page.script("return document.documentElement.lang") == "en"
    page.one("#language").click()
    assert page.script("return document.documentElement.lang") == "zh-CN"
    assert page.one("#send").accessible_name == "发送"
    assert page.one("#text").get_attribute("placeholder") == "输入消息"
    page.say("/help")
    assert page.wait_for_answers(1)[0].startswith("直接给我发消息")
    assert page.one("article.assistant .body").get_attribute("lang") == "zh-CN"
    page.open(chat.url)
    assert page.driver.title == "智能助手"


def test_a_chinese_browser_gets_a_chinese_page(chat: Assistant) -> None:
    with browser(1280, 800, language="zh-CN") as page:
        page.open(chat.url)
        assert page.driver.title == "智能助手"
        assert page.one("#welcome h2").text == "有什么可以帮你？"


def test_enter_that_ends_a_composition_sends_nothing(chat: Assistant, page: Page) -> None:
    page.open(chat.url)
    page.one("#text").click()
    cdp = page.driver.execute_cdp_cmd
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
    cdp("Input.imeSetComposition", {"text": "ni hao", "selectionStart": 6, "selectionEnd": 6})
    page.script(
        "window.keys = []; document.getElementById('text').addEventListener('keydown',"
        "(event) => window.keys.push([event.key, event.isComposing]));"
    )
    cdp("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    cdp("Input.dispatchKeyEvent", {"type": "keyUp", **enter})
    assert page.script("return window.keys") == [["Enter", True]]
    assert page.asked() == []
    cdp("Input.insertText", {"text": "你好"})
    assert page.one("#text").get_attribute("value") == "你好"
    page.press(Keys.SHIFT + Keys.ENTER)
    page.press("吗")
    assert page.asked() == []
    page.press(Keys.ENTER)
    until("it is sent", lambda: page.asked() == ["你好\n吗"])


def test_a_new_chat(chat: Assistant, page: Page) -> None:
    page.open(chat.url)
    page.say("/help")
    page.wait_for_answers(1)
    page.one("#fresh").click()
    page.one("#confirm-no").click()
    assert page.asked() == ["/help"]
    page.one("#fresh").click()
    page.one("#confirm-yes").click()
    until("an empty page", lambda: page.asked() == [] and page.one("#welcome").is_displayed())
    page.open(chat.url)
    assert page.asked() == []


def test_the_access_code(make_assistant: Maker, page: Page) -> None:
    locked = make_assistant({"ASSISTANT_WEB_CHAT_ACCESS": "code"})
    locked.start()
    page.open(locked.url)
    assert page.focus() == "code"
    assert not page.one("#text").is_displayed()
    page.press("a wrong code", Keys.ENTER)
    until("the refusal", lambda: page.one("#access-problem").text.startswith("That is not the code"))
    page.one("#reveal").click()
    assert page.one("#code").get_attribute("type") == "text"
    page.one("#code").clear()
    page.one("#code").send_keys(CODE, Keys.ENTER)
    until("the conversation", lambda: page.one("#text").is_displayed())
    page.say("/help")
    page.wait_for_answers(1)
    # It holds after a reload and a restart, and until the code is changed; what is being written stays.
    locked.stop()
    (locked.directory / "secrets" / "web_chat_access_code").write_text("another code 5678\n")
    locked.start()
    page.say("/start")
    until("the question for the code", lambda: page.one("#code").is_displayed())
    for _ in range(5):
        page.one("#code").clear()
        page.one("#code").send_keys("wrong", Keys.ENTER)
        until("the refusal", lambda: page.one("#access-problem").text != "")
    page.one("#code").send_keys("x", Keys.ENTER)
    until("the pause", lambda: page.one("#access-problem").text.startswith("Too many wrong codes"))
    locked.stop()
    locked.start()
    page.one("#code").clear()
    page.one("#code").send_keys("another code 5678", Keys.ENTER)
    page.wait_for_answers(2)
    assert page.asked() == ["/help", "/start"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_the_switch(chat: Assistant, page: Page, scheme: str) -> None:
    other = {"light": "dark", "dark": "light"}[scheme]
    ground = lambda: page.script("return getComputedStyle(document.body).backgroundColor")  # noqa: E731
    colours = {"light": "rgb(248, 248, 246)", "dark": "rgb(22, 25, 28)"}
    page.media(prefers_color_scheme=scheme)
    page.open(chat.url)
    assert ground() == colours[scheme]
    page.one("#theme").click()
    assert ground() == colours[other]
    page.open(chat.url)
    assert ground() == colours[other]
    page.one("#theme").click()
    assert ground() == colours[scheme]
    page.media(prefers_color_scheme=other)
    assert ground() == colours[other]


def test_a_small_phone(chat: Assistant, phone: Page) -> None:
    phone.open(chat.url)
    phone.say("a" * 300)
    phone.say("/help")
    phone.wait_for_answers(2)
    assert phone.script("return document.documentElement.scrollWidth") == 320
    wide: Any = phone.script(
        """
        return [...document.querySelectorAll("body *")]
          .filter((one) => one.checkVisibility() && !one.closest(".unseen, .wide, .hint, svg, pre"))
          .filter((one) => one.getBoundingClientRect().right > 320.5)
          .map((one) => one.outerHTML.slice(0, 80));
        """
    )
    assert wide == []
    # What one taps is large enough for a finger (WCAG 2.5.5: 44 px), and no phone zooms in on small letters.
    for button in phone.driver.find_elements("css selector", "button, textarea"):
        if button.is_displayed():
            assert min(button.rect["height"], button.rect["width"]) >= 44, button.get_attribute("outerHTML")
    assert phone.script("return getComputedStyle(document.getElementById('text')).fontSize") == "16px"
    assert phone.script("return getComputedStyle(document.getElementById('code')).fontSize") == "16px"
    # The field stays in sight, and the newest message too.
    assert phone.one("#form").rect["y"] + phone.one("#form").rect["height"] <= 640
    hidden = "const log = document.getElementById('log'); return log.scrollHeight - log.scrollTop"
    assert phone.script(hidden + " - log.clientHeight") <= 1
