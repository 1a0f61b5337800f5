"""Questions as people type them: other capitals, typing errors, words left out, added or swapped."""

from __future__ import annotations

import random
import re
import string
from dataclasses import dataclass

_BEFORE = {
    "en": ("hi, ", "hello, ", "hey ", "please ", "excuse me, ", "um, ", "ok ", "so ", "quick question: ",
           "sorry, ", "could you tell me ", "tell me ", "I wonder ", "i'd like to know ", "and ", "well, ",
           "do you know ", "can you say ", "one more thing: ", "just curious, "),
    "zh": ("你好，", "请问", "请问一下，", "那个，", "麻烦问一下，", "想问一下", "我想知道", "不好意思，",
           "对了，", "那", "嗯，", "帮我看看", "劳驾，", "打扰一下，", "说一下", "问个问题，", "能说说"),
}  # fmt: skip
_AFTER = {
    "en": (" please", " thanks", " thank you", " here", " now", " exactly", " then", " in this project",
           " with this assistant", ", can you tell me", " for me", " again", ", any idea", ", do you know"),
    "zh": ("呢", "啊", "呀", "吗", "谢谢", "，谢谢", "，麻烦了", "来着", "，你知道吗", "，能说说吗", "一下",
           "，多谢", "，怎么弄", "，请讲"),
}  # fmt: skip
# Words of which each may stand for any other of its line.
_SAME = {
    "en": (
        (
            "how do i",
            "how can i",
            "how to",
            "how would i",
            "what is the way to",
            "how should i",
            "how could i",
        ),
        ("show me", "tell me", "explain", "describe", "say"),
        ("where is", "where's", "where do i find", "where can i find"),
        ("what is", "what's", "whats", "explain"),
        ("can i", "could i", "may i", "is it possible to", "am i able to"),
        ("does it", "will it", "can it", "would it"),
        ("the bot", "the assistant", "you", "this bot", "this assistant"),
        ("set up", "configure", "install", "prepare"),
        ("change", "edit", "modify", "adjust"),
        ("delete", "remove", "erase", "get rid of"),
        ("stop", "end", "quit", "halt"),
        ("start", "begin", "launch", "run"),
        ("switch off", "turn off", "disable", "deactivate"),
        ("switch on", "turn on", "enable", "activate"),
        ("see", "look at", "view", "check", "read"),
        ("make", "create", "build"),
        ("use", "work with", "employ"),
        ("need", "require", "want"),
        ("big", "large", "huge"),
        ("fast", "quick", "quickly"),
        ("broken", "not working", "failing", "down"),
        ("error", "failure", "problem", "fault"),
        ("machine", "server", "host", "vm"),
        ("message", "text", "question"),
        ("happens", "goes on", "occurs"),
        ("keep", "store", "save"),
        ("my", "our", "the"),
        ("i", "we", "one"),
    ),
    "zh": (
        ("怎么", "如何", "怎样", "咋", "该怎么", "要怎么"),
        ("什么", "啥", "什么样的"),
        ("在哪里", "在哪儿", "在哪", "在什么地方", "到哪里"),
        ("可以", "能", "能够", "可不可以", "能不能"),
        ("为什么", "为啥", "怎么会", "是什么原因"),
        ("机器人", "助手", "你", "小助手"),
        ("告诉我", "说说", "讲讲", "解释一下", "介绍一下"),
        ("修改", "更改", "改", "调整", "换"),
        ("删除", "删掉", "清除", "移除", "去掉"),
        ("查看", "看", "看看", "看到", "查"),
        ("安装", "装", "装上", "部署"),
        ("设置", "配置", "设", "设定"),
        ("关闭", "关掉", "停用", "禁用", "关"),
        ("打开", "开启", "启用", "开"),
        ("停止", "停", "中止", "停掉"),
        ("服务器", "主机", "机器"),
        ("需要", "要", "得"),
        ("多少", "几", "多大"),
        ("使用", "用", "利用"),
        ("问题", "毛病", "故障"),
        ("我", "我们", "咱们"),
        ("会", "能", "将"),
        ("没有", "没", "无"),
        ("发送", "发", "发出"),
    ),
}
_GROUPS = {lang: {word: line for line in lines for word in line} for lang, lines in _SAME.items()}
_PATTERNS = {
    "en": re.compile(
        r"\b(" + "|".join(sorted(map(re.escape, _GROUPS["en"]), key=len, reverse=True)) + r")\b"
    ),
    "zh": re.compile("(" + "|".join(sorted(map(re.escape, _GROUPS["zh"]), key=len, reverse=True)) + ")"),
}
_STRIPPED = string.punctuation + "，。？！、：；"


@dataclass(frozen=True)
class Strength:
    """How likely each change is, 0 to 1; ``drop`` is for each word, the others for the whole question."""

    synonym: float = 0.3
    before: float = 0.2
    after: float = 0.15
    drop: float = 0.08
    swap: float = 0.15
    typo: float = 0.2
    capitals: float = 0.4
    punctuation: float = 0.5


NONE = Strength(0, 0, 0, 0, 0, 0, 0, 0)


def augment(text: str, language: str, source: random.Random, strength: Strength) -> str:
    """Return ``text`` as somebody else might type it; it is never empty.

    Args:
        text: a question.
        language: ``en`` or ``zh``.
        source: where chance comes from.
        strength: how much is changed.
    """
    out = text
    if source.random() < strength.synonym * 2:
        out = _synonyms(out, language, source, strength.synonym)
    out = _words(out, language, source, strength)
    if source.random() < strength.before:
        out = source.choice(_BEFORE[language]) + out
    if source.random() < strength.after:
        out = out.rstrip(_STRIPPED + " ") + source.choice(_AFTER[language])
    if source.random() < strength.typo:
        out = _typo(out, language, source)
    return _surface(out, language, source, strength).strip() or text


def _synonyms(text: str, language: str, source: random.Random, share: float) -> str:
    def other(match: re.Match[str]) -> str:
        if source.random() >= share:
            return match[0]
        return source.choice(_GROUPS[language][match[0]])

    return _PATTERNS[language].sub(other, text.lower() if language == "en" else text)


def _words(text: str, language: str, source: random.Random, strength: Strength) -> str:
    words = text.split() if language == "en" else re.findall(r"[A-Za-z0-9_/.-]+|\s+|.", text)
    if len(words) > 3:
        kept = [word for word in words if source.random() >= strength.drop]
        words = kept if len(kept) >= 2 else words
    if len(words) > 3 and source.random() < strength.swap:
        if language == "en" and source.random() < 0.5:
            # The second half first: "in a group, how do I reach you".
            cut = source.randrange(1, len(words))
            words = words[cut:] + words[:cut]
        else:
            at = source.randrange(len(words) - 1)
            words[at], words[at + 1] = words[at + 1], words[at]
    return (" " if language == "en" else "").join(words)


def _typo(text: str, language: str, source: random.Random) -> str:
    if len(text) < 5:
        return text
    at = source.randrange(len(text) - 1)
    kind = source.randrange(4)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at] + text[at:]
    if kind == 2:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    letter = source.choice(string.ascii_lowercase if language == "en" else "的了是在有个就和")
    return text[:at] + letter + text[at + 1 :]


def _surface(text: str, language: str, source: random.Random, strength: Strength) -> str:
    if source.random() < strength.capitals:
        change = source.randrange(8)
        text = text.lower() if change < 4 else text.upper() if change == 4 else text[:1].upper() + text[1:]
    if source.random() < strength.punctuation:
        ends = (
            ("?", "", "??", ".", " ?", "!", "...")
            if language == "en"
            else ("？", "", "?", "。", "！", "？？", "…")
        )
        text = text.rstrip(_STRIPPED + " ") + source.choice(ends)
    if language == "en" and source.random() < strength.punctuation / 4:
        text = text.replace("'", "").replace(",", "")
    return text
