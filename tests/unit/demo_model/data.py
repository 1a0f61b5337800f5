"""A handful of intents, written as the model's own data is."""

from pathlib import Path

import yaml

OUT_OF_DOMAIN = {
    "answer": {"en": "I am only a demonstration model.", "zh": "我只是一个演示模型。"},
    "phrasings": {"en": ["who won the {cup|match}"], "zh": ["谁赢了{比赛|球赛}"]},
    "held_out": {"en": ["bake me a cake"], "zh": ["帮我烤个蛋糕"]},
}


def group() -> dict[str, object]:
    return {
        "id": "group-mention",
        "answer": {"en": "Mention me by my name.", "zh": "在群里提到我的名字。"},
        "phrasings": {
            "en": [
                "how do I {use|reach} {you|the bot} in a group{ chat|}",
                "groups{ please|}",
                "you in a group",
            ],
            "zh": ["群里{怎么|如何}用{你|机器人}", "群聊", "在群里找你"],
        },
        "held_out": {"en": ["is it possible to talk in a team's room"], "zh": ["多人聊天时怎么叫你"]},
    }


def why() -> dict[str, object]:
    return {
        "id": "group-mention-why",
        "follows": "group-mention",
        "answer": {"en": "So that I do not disturb others.", "zh": "这样不会打扰别人。"},
        "phrasings": {"en": ["why{ is that|}"], "zh": ["为什么{呢|}"]},
        "held_out": {"en": ["what for"], "zh": ["图什么"]},
    }


def write(folder: Path, *intents: dict[str, object]) -> Path:
    (folder / "intents").mkdir(parents=True, exist_ok=True)
    document = {"topic": "groups", "intents": list(intents)}
    (folder / "intents" / "groups.yml").write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    (folder / "out_of_domain.yml").write_text(yaml.safe_dump(OUT_OF_DOMAIN, allow_unicode=True), "utf-8")
    return folder
