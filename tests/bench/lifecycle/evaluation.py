"""Both demonstration models, evaluated as an operator does it, over the HTTP API."""

from __future__ import annotations

from pathlib import Path

from assistant.evaluation.asking import Run, run
from assistant.evaluation.figures import Judged, comparison, summary
from assistant.evaluation.questions import read_questions
from assistant.evaluation.results import read_results
from tests.bench.demo_model.__main__ import served
from tests.bench.report import Figure
from tests.integration.app.process import SECRETS
from tools.demo_model.shipped import shipped

QUESTIONS = Path(__file__).parents[3] / "files" / "evaluation" / "demo.jsonl"
MODELS = {"v1": "demo-v1", "v2": "demo-v2"}


def evaluate(folder: Path) -> tuple[dict[str, Figure], list[object]]:
    """Ask both models; the results lie in ``folder`` then.

    Returns:
        the figures (shares 0 to 1, BLEU 0 to 100, differences v2 less v1 with their 95 % interval), and both
        models' summaries.

    Raises:
        EvaluationError: a model could not be asked.
        FileNotFoundError: a model is missing.
    """
    questions = read_questions(QUESTIONS)
    judged = {}
    for label, name in MODELS.items():
        model = shipped(name)
        if not model.exists():
            raise FileNotFoundError(f"{model} is missing; make demo-models makes it")
        path = folder / f"{name}.jsonl"
        with served(model) as api:
            wanted = Run(
                url=f"{api.url}/v1",
                key=SECRETS["api_token"],
                model="",
                max_tokens=256,
                seed=1,
                share=1.0,
                patience_seconds=120,
            )
            run(questions, path, wanted)
        judged[label] = Judged(questions, read_results(path, questions))
    summaries = {label: summary(one) for label, one in judged.items()}
    pair = comparison(judged["v1"], judged["v2"])
    figures: dict[str, Figure] = {"questions": len(questions.questions)}
    for figure in ("bleu", "success"):
        figures |= {f"{figure}_{label}": one[figure]["value"] for label, one in summaries.items()}
        difference = pair[f"{figure}_difference"]
        figures |= {
            f"{figure}_difference{end}": difference[key]
            for end, key in (("", "value"), ("_low", "low"), ("_high", "high"))
        }
    figures["verdict"] = pair["verdict"]
    return figures, [*summaries.values(), pair]
