"""Markdown in answers: what becomes an element, and that nothing hostile does."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.app.browser import Page, browser
from tests.integration.app.conftest import Maker
from tests.integration.app.process import Assistant

RENDER = """
const [text, done] = arguments;
import("/static/markdown.js").then(({ render, element }) => {
  const block = (code, language) => {
    const made = element("pre", language, "");
    made.append(element("code", "", code));
    return made;
  };
  const host = document.createElement("div");
  host.append(render(text, block));
  const all = [...host.querySelectorAll("*")];
  done({
    html: host.innerHTML,
    text: host.textContent,
    tags: [...new Set(all.map((one) => one.localName))].sort(),
    attributes: [...new Set(all.flatMap((one) => [...one.attributes].map((a) => a.name)))].sort(),
    links: [...host.querySelectorAll("a")].map((one) => [one.href, one.textContent, one.rel, one.target]),
  });
}, (error) => done({ error: String(error) }));
"""
TAGS = {
    *("p", "br", "strong", "em", "del", "code", "pre", "a", "ul", "ol", "li", "blockquote", "hr"),
    *("h3", "h4", "h5", "h6", "div", "table", "tr", "th", "td"),
}
ATTRIBUTES = {"class", "href", "rel", "target", "title", "start", "tabindex"}


@pytest.fixture(scope="module")
def page(make_assistant: Maker) -> Iterator[Page]:
    made: Assistant = make_assistant({})
    made.start()
    with browser(800, 600) as found:
        found.open(made.url)
        yield found
        assert found.faults() == []


def rendered(page: Page, text: str) -> Any:
    result = page.driver.execute_async_script(RENDER, text)
    assert "error" not in result, result
    return result


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
        ("**bold** and *it* and __b__ and _i_ and ~~no~~", None),
        ("# A\n## B\ntext", "<h3>A</h3><h4>B</h4><p>text</p>"),
        (
            "- a\n- b\n  - c\n- d",
            "<ul><li><p>a</p></li><li><p>b</p><ul><li><p>c</p></li></ul></li><li><p>d</p></li></ul>",
        ),
        ("3. a\n4. b", '<ol start="3"><li><p>a</p></li><li><p>b</p></li></ol>'),
        ("1. a\n\n2. b", '<ol start="1"><li><p>a</p></li><li><p>b</p></li></ol>'),
        ("- a\n\n  more\n- b", "<ul><li><p>a</p><p>more</p></li><li><p>b</p></li></ul>"),
        ("> a\n> b", "<blockquote><p>a<br>b</p></blockquote>"),
        ("---", "<hr>"),
        (
            "```python\nif x:\n    **y**\n```\nafter",
            '<pre class="python"><code>if x:\n    **y**</code></pre><p>after</p>',
        ),
        ("```\nnot closed <b>", "<pre><code>not closed &lt;b&gt;</code></pre>"),
        ("````\n```\n````", "<pre><code>```</code></pre>"),
        ("use `a*b*c` and ``x`y``", "<p>use <code>a*b*c</code> and <code>x`y</code></p>"),
        ("snake_case_name and 2 * 3 * 4 and \\*no\\*", "<p>snake_case_name and 2 * 3 * 4 and *no*</p>"),
        ("**not closed and *this", "<p>**not closed and *this</p>"),
        ("***both***", None),
        ("**粗体**，然后", "<p><strong>粗体</strong>，然后</p>"),
        ("| a | b |\n|---|:-:|\n| 1 | `2` |", None),
        ("a | b", "<p>a | b</p>"),
        ("- ```\n  code\n  ```", "<ul><li><pre><code>code</code></pre></li></ul>"),
        ("", ""),
    ],
)
def test_markdown(page: Page, text: str, html: str | None) -> None:
    result = rendered(page, text)
    if html is not None:
        assert result["html"] == html
    assert set(result["tags"]) <= TAGS


def test_emphasis_and_tables(page: Page) -> None:
    result = rendered(page, "**bold** and *it* and __b__ and _i_ and ~~no~~")
    assert result["html"] == (
        "<p><strong>bold</strong> and <em>it</em> and <strong>b</strong> and <em>i</em> and <del>no</del></p>"
    )
    table = rendered(page, "| a | b |\n|---|:-:|\n| 1 | `2` |")["html"]
    assert "<tr><th>a</th><th>b</th></tr><tr><td>1</td><td><code>2</code></td></tr>" in table


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see [the page](https://example.org/a?b=c#d)", [("https://example.org/a?b=c#d", "the page")]),
        ("https://example.org/x.", [("https://example.org/x", "https://example.org/x")]),
        ("（见https://example.org/x）。", [("https://example.org/x", "https://example.org/x")]),
        ("请打开https://example.org/x查看", [("https://example.org/x", "https://example.org/x")]),
        ("[w](https://en.example.org/a_(b))", [("https://en.example.org/a_(b)", "w")]),
        ("![picture](http://example.org/p.png)", [("http://example.org/p.png", "picture")]),
        ("[x](javascript:alert(1))", []),
        ("[x](JAVASCRIPT:alert(1))", []),
        ("[x]( javascript:alert(1))", []),
        ("[x](data:text/html,<script>alert(1)</script>)", []),
        ("[x](vbscript:x) [y](file:///etc/passwd) [z](//evil.example) [r](/chat/messages)", []),
        ("[x](ht\ntps://example.org)", []),
    ],
)
def test_links(page: Page, text: str, links: list[tuple[str, str]]) -> None:
    result = rendered(page, text)
    assert [tuple(one[:2]) for one in result["links"]] == links
    for _, _, rel, target in result["links"]:
        assert (rel, target) == ("noopener noreferrer nofollow", "_blank")


HOSTILE = [
    "<script>window.violations.push('ran')</script>",
    "<img src=x onerror=\"window.violations.push('ran')\">",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    '[a](https://x.example/" onmouseover="alert(1))',
    "[<img src=x onerror=alert(1)>](https://x.example)",
    '```"><script>alert(1)</script>\nx\n```',
    "`</code><script>alert(1)</script>`",
    "<style>*{display:none}</style>",
    "<a href='javascript:alert(1)'>x</a>",
    "<form action=https://evil.example><input name=code></form>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!-- --!><script>alert(1)</script>",
    "</div></article></main><h1>gone</h1>",
    "\x00\u202e\ufeff\u2028",
    "| <script> | b |\n|-|-|\n| <b>x | y |",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_text(page: Page, text: str) -> None:
    result = rendered(page, text)
    assert set(result["tags"]) <= TAGS
    assert set(result["attributes"]) <= ATTRIBUTES
    assert all(href.startswith(("http://", "https://")) for href, *_ in result["links"])


@pytest.mark.parametrize(
    "text",
    [
        *(
            mark * 50_000
            for mark in (
                "*",
                "_",
                "`",
                "~",
                "[",
                "![",
                ">",
                "- ",
                "#",
                "|",
                "\\",
                "(",
                "**a ",
                "*a ",
                "_a ",
                "`a ",
            )
        ),
        "[a](https://x" * 5_000,
        "https://x(" * 10_000,
        "> " * 10_000 + "x",
        "\n".join(" " * n + "- x" for n in range(300)),
        "- a\n" * 20_000,
        "|-" * 25_000,
        "a|b\n" + "-|" * 25_000,
        "``` " * 10_000,
        "\n".join("`" * n for n in range(1, 300)),
        "*_~~**" * 10_000,
        "1. " * 20_000,
        "- - - - " * 10_000 + "x",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_texts_made_to_keep_it_busy_end(page: Page, text: str) -> None:
    # A browser that needs long for one answer is as good as gone: the driver gives up.
    page.driver.set_script_timeout(30)
    assert set(rendered(page, text)["tags"]) <= TAGS


PIECES = (
    *"*_`~[]()<>#-+>|!\\\n\n \t1.",
    *("**", "```", "a", "词", "https://x.example", "javascript:", "<b onclick=x>", "  ", "|-|", "](", "1. "),
)


@pytest.mark.parametrize("seed", range(4))
def test_any_text_is_rendered_safely(page: Page, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        text = "".join(chance.choices(PIECES, k=chance.randrange(80)))
        result = rendered(page, text)
        assert set(result["tags"]) <= TAGS, text
        assert set(result["attributes"]) <= ATTRIBUTES, text
        assert all(href.startswith(("http://", "https://")) for href, *_ in result["links"]), text
