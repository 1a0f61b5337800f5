"""Why a rollout changes its state or does not: a code for programs, and words in both languages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """A reason; ``code`` is one of a few words that never change."""

    code: str
    english: str
    chinese: str


def commanded(action: str, text: str = "") -> Reason:
    """Return the reason "an operator wanted it"; ``text`` is what they gave for theirs."""
    more = f": {text}" if text else ""
    return Reason(
        f"command_{action}", f"an operator's command ({action}){more}", f"运维命令（{action}）{more}"
    )


STARTED = Reason("started", "an operator has started it", "运维人员已启动")
LOADED = Reason(
    "loaded", "the candidate is loaded and has answered a trial question", "候选模型已加载并回答了试问"
)
REPLACED = Reason("replaced", "another candidate takes its place", "已由新的候选模型取代")
GOOD = Reason("good", "the candidate is not worse in anything that is measured", "候选模型各项指标均不逊色")
CONFIRMED = Reason(
    "confirmed", "the new model answers everybody and is well", "新模型已服务全部用户且状态正常"
)
INCONCLUSIVE = Reason(
    "inconclusive",
    "the longest time is over and the numbers still prove nothing",
    "已达最长时限，数据仍不足以下结论",
)


def exited(code: int, *, out_of_memory: bool, loading: bool) -> Reason:
    """Return the reason "its container ended with ``code``"."""
    if out_of_memory:
        return Reason(
            "oom",
            f"the candidate ran out of memory and ended ({code}); it needs more (rollout_memory_limit)",
            f"候选模型内存不足而退出（{code}），需调高 rollout_memory_limit",
        )
    if loading:
        return Reason(
            "load",
            f"the candidate ended while it was loaded ({code}); see docker logs ai-candidate",
            f"候选模型在加载时退出（{code}），见 docker logs ai-candidate",
        )
    return Reason("exited", f"the candidate ended ({code})", f"候选模型已退出（{code}）")


def promotion_failed(text: str) -> Reason:
    """Return the reason "as the stable model it was not well, and was taken back"."""
    return Reason(
        "promotion_failed",
        f"the new model was not well in its place and the old one is back: {text}",
        f"新模型上线后不正常，已恢复旧模型：{text}",
    )


def not_loaded(seconds: float) -> Reason:
    """Return the reason "it was not ready within ``seconds``"."""
    return Reason(
        "load",
        f"the candidate was not loaded and reachable within {seconds:g} s; see docker logs ai-candidate",
        f"候选模型未能在 {seconds:g} 秒内加载完毕，见 docker logs ai-candidate",
    )


def trial_failed(kind: str) -> Reason:
    """Return the reason "it could not answer a trial question"; ``kind`` is what the error was."""
    return Reason(
        "load",
        f"the candidate is loaded and cannot answer a trial question ({kind}); see docker logs ai-candidate",
        f"候选模型已加载但无法回答试问（{kind}），见 docker logs ai-candidate",
    )


def trial_slow(seconds: float) -> Reason:
    """Return the reason "a trial question was not answered within ``seconds``"."""
    return Reason(
        "slow",
        f"the candidate did not answer a trial question within {seconds:g} s",
        f"候选模型未能在 {seconds:g} 秒内回答试问",
    )


TRIAL_EMPTY = Reason(
    "empty", "the candidate answered a trial question with nothing", "候选模型对试问的回答为空"
)
PROMOTION_HANGS = Reason(
    "promotion_hangs",
    "the promotion takes long; see: journalctl -u ai-assistant-rollout. To end it: rollout abort",
    "发布耗时过长，见 journalctl -u ai-assistant-rollout；如需终止：rollout abort",
)
# The states in words.
STATES = {
    "loading": ("the candidate is being loaded", "正在加载候选模型"),
    "running": ("it runs", "运行中"),
    "paused": ("it is paused", "已暂停"),
    "promoting": ("the candidate becomes the stable model", "候选模型正在转为稳定模型"),
    "promoted": ("done", "已完成"),
    "rolled_back": ("rolled back", "已回滚"),
    "aborted": ("aborted", "已中止"),
}
