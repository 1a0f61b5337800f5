"""What the assistant says without the model, in English and Chinese, and what people may ask it to do."""

import re
from dataclasses import dataclass, replace

from assistant.messages import Incoming, Kind


@dataclass(frozen=True)
class Text:
    """The same in English and in Chinese."""

    en: str
    zh: str

    def __call__(self, language: str, **values: object) -> str:
        """Return it in ``language`` (en or zh), or in both for any other; ``values`` fill its gaps."""
        if language in {"en", "zh"}:
            return (self.en if language == "en" else self.zh).format(**values)
        return f"{self.en}\n{self.zh}".format(**values)


HELP = Text(
    "Write me a message, in English or Chinese, and I will answer it. I remember this conversation.\n"
    "/reset: begin a new conversation\n"
    "/language en, /language zh, /language auto: the language of my own words\n"
    "/feedback and your words: tell the operators something\n"
    "/help: this text",
    "直接给我发消息即可，中文或英文都可以，我会记得这段对话。\n"
    "/reset：开始新的对话\n"
    "/language en、/language zh、/language auto：我的提示语使用的语言\n"
    "/feedback 加上您的意见：反馈给管理员\n"
    "/help：显示本帮助",
)
START = Text("Hello! I am an AI assistant.\n" + HELP.en, "你好！我是一个人工智能助手。\n" + HELP.zh)
UNSUPPORTED = Text("I can only read text messages so far.", "目前我只能阅读文字消息。")
FAILED = Text(
    "Sorry, I could not answer this message. Please try again later.",
    "抱歉，这条消息我没能回答，请稍后再试。",
)
# Below FAILED, where the log knows more.
REFERENCE = Text("Reference: {short}", "编号：{short}")
EMPTY = Text(
    "Sorry, I have no answer to that. Please put it another way.", "抱歉，我没有想到答案，请换一种说法再试。"
)
RESET = Text(
    "A new conversation begins: what was said before is no longer taken into account.",
    "已开始新的对话，之前的内容不再作为上下文。",
)
LANGUAGE_SET = Text("From now on I speak English in this conversation.", "从现在起，我在这段对话中使用中文。")
LANGUAGE_AUTO = Text("I use the language of each message.", "我会使用每条消息所用的语言。")
LANGUAGE_USAGE = Text(
    "Choose a language: /language en, /language zh or /language auto.",
    "请选择语言：/language en、/language zh 或 /language auto。",
)
FEEDBACK_THANKS = Text("Thank you! The operators will read it.", "谢谢！管理员会看到您的反馈。")
FEEDBACK_USAGE = Text(
    "Write your words after the command, for example: /feedback The answers are too long.",
    "请把意见写在命令后面，例如：/feedback 回答太长了。",
)
STATUS = Text(
    "Model {model}: {ready}. Waiting messages: {waiting}. Replies to be sent: {unsent}. Given up: {dead}. "
    "Ratings of the last 7 days: {ratings}, {csat} % good. Maintenance: {maintenance}.",
    "模型 {model}：{ready}。等待中的消息：{waiting}。待发送的回复：{unsent}。已放弃：{dead}。"
    "最近 7 天评分：{ratings} 条，好评 {csat}%。维护模式：{maintenance}。",
)
READY, NOT_READY = Text("ready", "就绪"), Text("not ready", "未就绪")
ON, OFF = Text("on", "开启"), Text("off", "关闭")
ADMINS_ONLY = Text("Only administrators may ask for that.", "只有管理员可以使用这个命令。")
NOT_ALLOWED = Text(
    "Sorry, this assistant is not open to you. If it should be, give the operators this number: {sender}",
    "抱歉，您还没有使用权限。如有需要，请把此编号告诉管理员：{sender}",
)
TOO_FAST = Text(
    "That was too much at once: at most {limit} messages a minute. Please wait a little.",
    "发送过于频繁：每分钟最多 {limit} 条消息，请稍候再试。",
)
TOO_MANY = Text(
    "You have used your {limit} messages of the last 24 hours. Please come back later.",
    "最近 24 小时内的 {limit} 条消息额度已用完，请稍后再来。",
)
IN_MAINTENANCE = Text(
    "The assistant is being maintained at the moment. Please ask again a little later.",
    "助手正在维护中，请稍后再提问。",
)
QUEUED = Text(
    "Thank you for waiting: {before} messages of others come first. Your answer will come by itself.",
    "请稍候：前面还有 {before} 条消息。轮到您时会自动回复。",
)
SLOW = Text(
    "I am still working on your message. The answer will come by itself.",
    "我还在处理您的消息，完成后会自动回复。",
)
ENGINE_DOWN = Text(
    "My language model cannot be reached at the moment. Your message is kept, and the answer will come by "
    "itself as soon as the model is back.",
    "语言模型暂时无法使用。您的消息已保存，恢复后会自动回复。",
)

FIXED = {Kind.START: START, Kind.HELP: HELP, Kind.UNSUPPORTED: UNSUPPORTED}
COMMANDS = {
    f"/{kind}": kind
    for kind in Kind
    if kind not in {Kind.CHAT, Kind.KNOWN, Kind.UNSUPPORTED, Kind.REFUSED, Kind.ANNOUNCEMENT}
}
# What a platform's menu of commands shows: command, English, Chinese.
MENU = (
    ("help", "what I can do", "我能做什么"),
    ("reset", "begin a new conversation", "开始新的对话"),
    ("language", "choose the language: en, zh or auto", "选择语言：en、zh 或 auto"),
    ("feedback", "tell the operators something", "向管理员反馈意见"),
)
# The ideographs of Chinese: CJK Unified Ideographs with extension A (Unicode, blocks 4E00 and 3400).
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
LETTER = re.compile(r"[^\W\d_]")


def kind_of(text: str) -> Kind:
    """Return what ``text`` asks for: a command in its first word, or an answer."""
    words = text.split(maxsplit=1)
    # In a group, Telegram writes /help@name_of_the_bot.
    return COMMANDS.get(words[0].lower().split("@")[0], Kind.CHAT) if words else Kind.CHAT


def argument_of(text: str) -> str:
    """Return what stands after the command in ``text``."""
    words = text.split(maxsplit=1)
    return words[1].strip() if len(words) > 1 else ""


def language_of(text: str, chosen: str = "", hint: str = "") -> str:
    """Return the language to speak: en, zh, or empty for both.

    Args:
        text: what the person wrote.
        chosen: what was chosen for the conversation; it wins.
        hint: what the platform knows of the person's language, for texts that have none (a command).
    """
    if chosen:
        return chosen
    words = argument_of(text) if text.startswith("/") else text
    if HAN.search(words):
        return "zh"
    return "en" if LETTER.search(words) else hint


def clean(message: Incoming) -> Incoming:
    """Return ``message`` without what a database cannot keep: NUL and halves of surrogate pairs."""
    payload = message.payload
    if payload:
        turns = [{"role": m["role"], "content": _storable(m["content"])} for m in payload.get("messages", [])]
        payload = {**payload, "messages": turns}
    return replace(message, text=_storable(message.text), payload=payload)


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
