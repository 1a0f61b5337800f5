"""What operators are told of a month's evaluation, in two languages."""

from typing import Any

from assistant.evaluation.figures import Figures

VERDICTS = {
    "better": ("better", "更好"),
    "worse": ("WORSE", "更差"),
    "unclear": ("not clearly different", "差异不明显"),
}


def summary_texts(figures: Figures, link: str) -> tuple[str, str]:
    """Return the summary of a report in English and Chinese.

    Args:
        figures: the report's JSON.
        link: where the page is, or empty.
    """
    model, pair = figures["model"], figures["comparison"]
    english = [f"Evaluation {figures['month']}: {model['model']}"]
    chinese = [f"模型评估 {figures['month']}：{model['model']}"]
    if pair:
        en, zh = VERDICTS[pair["verdict"]]
        base = figures["base_month"] or pair["base"]
        other = f" ({pair['base']})" if figures["base_month"] else ""
        english.append(
            f"Compared with {base}{other}: {en}; success {_points(pair['success_difference'])} points, "
            f"{pair['won']} answers won, {pair['lost']} lost"
        )
        chinese.append(
            f"与 {base}{other} 相比：{zh}；成功率 {_points(pair['success_difference'], ' 至 ')} 个百分点，"
            f"{pair['won']} 个回答变好，{pair['lost']} 个变差"
        )
    rows: list[tuple[str, str, dict[str, Any] | None, float]] = [
        ("Success rate, %", "成功率（%）", model["success"], 100),
        ("BLEU-4", "BLEU-4", model["bleu"], 1),
    ]
    if judge := figures["judge"]:
        rows.append(("Passed by the judge, %", "评审通过率（%）", judge["judged_success"], 100))
    if asked := figures["conversations"]:
        rows.append(("Well-formed answers, %", "真实提问格式合格率（%）", asked["well_formed"], 100))
    if csat := figures["csat"]:
        rows.append(("CSAT, %", "满意度（%）", csat["all"], 100))
    for en, zh, interval, factor in rows:
        if interval is not None:
            english.append(f"{en}: {_shown(interval, factor)}")
            chinese.append(f"{zh}：{_shown(interval, factor, ' 至 ')}")
    seconds = model["seconds"]
    if seconds["p95"] is not None:
        english.append(f"Answer's time, s: {seconds['p50']:.2f} (median), {seconds['p95']:.2f} (p95)")
        chinese.append(f"回答耗时（秒）：{seconds['p50']:.2f}（中位数），{seconds['p95']:.2f}（p95）")
    if link:
        english.append(f"Report: {link}")
        chinese.append(f"报告：{link}")
    return "\n".join(english), "\n".join(chinese)


def _shown(interval: dict[str, Any], factor: float, until: str = " to ") -> str:
    value, low, high = (interval[name] * factor for name in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f}{until}{high:.1f})"


def _points(interval: dict[str, Any], until: str = " to ") -> str:
    value, low, high = (interval[name] * 100 for name in ("value", "low", "high"))
    return f"{value:+.1f} ({low:+.1f}{until}{high:+.1f})"
