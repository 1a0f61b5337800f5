"""Putting together what is known without the model, from the settings."""

from collections.abc import Callable

from assistant.answers.answers import Answers, Basis
from assistant.answers.cache import AnswerCache
from assistant.answers.pinned import Pinned
from assistant.inference.backend import Backend, Options
from assistant.inference.remote.backend import RemoteBackend
from assistant.settings import Settings


def make_answers(
    settings: Settings, options: Options, backend: Backend, is_kept: Callable[[int], bool]
) -> Answers:
    """Return the known answers of a service with these ``settings``.

    Args:
        settings: all of them.
        options: how answers are made.
        backend: what makes them.
        is_kept: whether a message is still there with its text.
    """
    basis = Basis(
        _model(settings, backend),
        settings.system_prompt,
        options,
        _tenants(settings),
        settings.answer_cache_api,
    )
    cache = AnswerCache(
        float(settings.answer_cache_seconds),
        is_kept,
        entries=settings.answer_cache_entries,
        size=settings.answer_cache_bytes,
    )
    return Answers(basis, cache, Pinned(settings.pinned_answers))


def _model(settings: Settings, backend: Backend) -> Callable[[], str]:
    """Return the model's name: here its file in its present state, elsewhere the endpoint and its model."""
    if isinstance(backend, RemoteBackend):
        return lambda: f"{settings.backend_url} {backend.model}"
    path = settings.model_path.resolve()
    state = path.stat()
    name = f"{path} {state.st_size} {state.st_mtime_ns}"
    return lambda: name


def _tenants(settings: Settings) -> dict[str, str]:
    """Return for whom each channel answers: the people of one app, one bot, or all callers of the API."""
    bot = settings.secrets.get("telegram_bot_token").partition(":")[0]
    return {"feishu": f"feishu {settings.feishu_app_id}", "telegram": f"telegram {bot}"}
