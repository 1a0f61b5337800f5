"""What the callers ask: one system prompt for all, and a message of its own for each request."""

from __future__ import annotations

import random

# About 195 tokens with the vocabulary of the synthetic models; every peer is given the same text.
SYSTEM = (
    "You are the assistant of a small company. You answer questions of colleagues about holidays, travel "
    "costs, the office, the network and the tools that are used here. Answer briefly and politely, in the "
    "language of the question. When you do not know an answer, say so and name the person or the team who "
    "may know it. Never invent names, dates, prices or rules. Do not repeat the question. Use short "
    "sentences and plain words, and a list only where there are more than three points. Personal data of "
    "colleagues is not yours to give away: neither telephone numbers nor salaries nor sick leave. When "
    "somebody asks for such a thing, say politely that you cannot tell it, and name the team that can help. "
    "你是一家小公司的助手。请用提问所用的语言简短而礼貌地回答。不知道时请直说,并指出谁可能知道。"
)
_SUBJECTS = ("the travel costs", "a new laptop", "the office key", "my holidays", "the network at home")
_WISHES = (
    "How do I apply for {0}?",
    "Who decides about {0}, and how long does that usually take?",
    "I have asked about {0} twice this week. What should I do next?",
    "Please tell me in two sentences what I have to know about {0}.",
)
_CHINESE = ("请问怎么申请{0}?", "关于{0},我应该先找谁?", "{0}的规定最近有变化吗?请简单说明。")
_CHINESE_SUBJECTS = ("差旅报销", "新的笔记本电脑", "年假", "办公室钥匙", "远程办公的网络")


def messages(count: int, seed: int) -> list[str]:
    """Return ``count`` different messages of people; the same ones for the same ``seed``."""
    source = random.Random(seed)
    made = []
    for number in range(count):
        if source.random() < 0.5:
            text = source.choice(_WISHES).format(source.choice(_SUBJECTS))
        else:
            text = source.choice(_CHINESE).format(source.choice(_CHINESE_SUBJECTS))
        # A number of its own: no server may answer from what it has read for another request.
        made.append(f"({source.randrange(10**6)}-{number}) {text}")
    return made
