"""Take the pictures of the web chat that the documents show: python -m tests.screenshots [folder].

They are of the app itself, with the demonstration model's own answers.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.integration.app.browser import Page, browser
from tests.integration.app.process import Assistant, until

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "files" / "models" / "demo-v2.gguf"
SETTINGS = {"ASSISTANT_CONTEXT_TOKENS": "1024", "ASSISTANT_MAX_TOKENS": "128", "ASSISTANT_TEMPERATURE": "0"}
LARGEST_BYTES = 150_000
DESKTOP, PHONE = (1000, 640), (360, 700)


def _ask(page: Page, *questions: str) -> None:
    for number, question in enumerate(questions, 1):
        page.say(question)
        page.wait_for_answers(number)
    until("the end of all work", lambda: page.one("#status").text == "")


def _keep(page: Page, folder: Path, name: str) -> None:
    # Without the blinking cursor two runs give the same picture.
    page.script(
        "document.getElementById('text').style.caretColor = 'transparent'; document.activeElement.blur()"
    )
    path = folder / f"web-chat-{name}.png"
    page.driver.save_screenshot(str(path))
    size = path.stat().st_size
    print(f"{path}: {size} bytes")
    if size > LARGEST_BYTES:
        raise SystemExit(f"{path} has more than {LARGEST_BYTES} bytes: show less in it")


def _take(open_chat: Assistant, locked: Assistant, folder: Path) -> None:
    with browser(*DESKTOP, language="zh-CN") as page:
        page.open(open_chat.url)
        _ask(page, "你能做什么？", "怎么部署？")
        page.one(".rating button").click()
        until("the thanks", lambda: page.one("#status").text != "")
        _keep(page, folder, "light")
    with browser(*DESKTOP) as page:
        page.media(prefers_color_scheme="dark")
        page.open(open_chat.url)
        _ask(page, "What can you do?", "How do I deploy?")
        _keep(page, folder, "dark")
    with browser(*PHONE) as page:
        page.open(open_chat.url)
        _ask(page, "How do I roll back the model?", "怎么备份？")
        _keep(page, folder, "phone")
    with browser(*PHONE, language="zh-CN") as page:
        page.open(locked.url)
        _keep(page, folder, "access")


def main(arguments: list[str]) -> int:
    """Take the pictures into the folder that is named, else ``docs/images``; return the exit status."""
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "images"
    fonts = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True, check=False).stdout
    if not fonts:
        print("no font for Chinese: apt-get install fonts-droid-fallback", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="screenshots-") as made:
        running = []
        try:
            for name, access in (("open", "open"), ("locked", "code")):
                directory = Path(made) / name
                directory.mkdir()
                database = f"sqlite:///{directory}/assistant.db"
                settings = {**SETTINGS, "ASSISTANT_WEB_CHAT_ACCESS": access}
                running.append(Assistant(directory, MODEL, database, settings))
                running[-1].environment.pop("ASSISTANT_SYSTEM_PROMPT")
                running[-1].start()
            _take(running[0], running[1], folder)
        finally:
            for one in running:
                one.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
