"""What the actions of ``evaluate`` share: arguments, the endpoint that is asked, consent."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assistant.evaluation.asking import Run
    from assistant.settings import Settings

OWN_URL = "http://127.0.0.1:8000/v1"


def add_asking(asking: argparse.ArgumentParser) -> None:
    """Add what says whom to ask, and how."""
    asking.add_argument(
        "--url", default=OWN_URL, help="any OpenAI-compatible endpoint, up to /v1 (default: %(default)s)"
    )
    asking.add_argument(
        "--token-file",
        type=Path,
        help="holds the endpoint's bearer token (default: this assistant's own, for its own --url only)",
    )
    asking.add_argument("--model", default="", help="its name there (default: the first that is listed)")
    asking.add_argument("--max-tokens", type=whole, default=256, help="of an answer (default: %(default)s)")
    asking.add_argument("--seed", type=int, default=1, help="sent with each request (default: %(default)s)")
    asking.add_argument(
        "--share",
        type=share,
        default=0.5,
        help="the most of the time that the model is kept busy, above 0 and up to 1 (default: %(default)s)",
    )
    asking.add_argument(
        "--patience",
        type=whole,
        default=600,
        help="seconds that a server may be busy or away before the run ends (default: %(default)s)",
    )


def add_results(asking: argparse.ArgumentParser) -> None:
    """Add where answers are kept."""
    asking.add_argument("--results", type=Path, required=True, help="JSON lines: the answers are added to it")


def add_questions(parser: argparse.ArgumentParser) -> None:
    """Add the curated set."""
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, see docs/evaluation.md")


def whole(value: str) -> int:
    """Return ``value`` as a number from 1 on; raises argparse's error."""
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value} is no whole number from 1 on")
    return int(value)


def share(value: str) -> float:
    """Return ``value`` as a share above 0; raises argparse's error."""
    try:
        found = float(value)
    except ValueError:
        found = 0.0
    if not 0 < found <= 1:
        raise argparse.ArgumentTypeError(f"{value} is not above 0 and up to 1; example: 0.5")
    return found


def wanted(chosen: argparse.Namespace) -> "Run":
    """Return how the model is asked; this process steps back behind all others.

    Raises:
        EvaluationError: the token cannot be read.
    """
    from assistant.evaluation.asking import Run

    # Beside the live service on its own machine: whatever is to be done here can wait.
    os.nice(10)
    return Run(
        url=chosen.url,
        key=token(chosen),
        model=chosen.model,
        max_tokens=chosen.max_tokens,
        seed=chosen.seed,
        share=chosen.share,
        patience_seconds=chosen.patience,
    )


def good_settings() -> "Settings":
    """Return the assistant's settings; raises EvaluationError where one is wrong."""
    from assistant.evaluation import EvaluationError
    from assistant.settings import SettingsError, load_settings

    try:
        return load_settings()
    except SettingsError as error:
        raise EvaluationError(str(error)) from None


def consent() -> "Settings":
    """Return the settings, where they let evaluations use what people asked; else raises EvaluationError."""
    from assistant.evaluation import EvaluationError

    settings = good_settings()
    if not settings.evaluation_uses_conversations:
        raise EvaluationError(
            "ASSISTANT_EVALUATION_USES_CONVERSATIONS is off: what people wrote is not used. If they know "
            "of it and may refuse, set assistant_evaluation_uses_conversations: true in main.yml"
        )
    return settings


def token(chosen: argparse.Namespace) -> str:
    """Return the bearer token of the endpoint, empty for none; raises EvaluationError."""
    path: Path | None = chosen.token_file
    if path is None:
        # The own token is for the own service: it must not be sent anywhere else.
        own = Path(os.environ.get("ASSISTANT_SECRETS_DIR") or "/run/secrets") / "api_token"
        if chosen.url != OWN_URL or not own.exists():
            return ""
        path = own
    return token_in(path, "--token-file")


def token_in(path: Path, argument: str) -> str:
    """Return the token that the file ``path``, given by ``argument``, holds; raises EvaluationError."""
    from assistant.evaluation import EvaluationError

    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise EvaluationError(f"{argument}: {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise EvaluationError(f"{argument}: {path} holds no token: it is not ASCII") from None
