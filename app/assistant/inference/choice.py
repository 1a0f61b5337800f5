"""Which backend answers: the model in this process, or an endpoint elsewhere. One setting decides."""

import os

from assistant.inference.backend import Backend, LoadRecord
from assistant.inference.embedded import EmbeddedBackend, LoadedModel
from assistant.inference.remote.backend import RemoteBackend
from assistant.logs import Log
from assistant.messages import Turn
from assistant.settings import BOOT_ERROR, Settings

log = Log(__name__)


def make_backend(settings: Settings, limit: int, record: LoadRecord | None = None) -> Backend:
    """Return the backend that ``ASSISTANT_BACKEND_URL`` chooses; ``limit`` requests may run or wait.

    ``record`` is told what becomes of loading a model, where one is loaded in this process.
    """
    if settings.backend_url:
        return _remote(settings, limit)
    system = Turn("system", settings.system_prompt)

    def load() -> LoadedModel:
        # Imported here: with an endpoint elsewhere the native library is never loaded.
        from assistant.inference.model import Model

        return Model(
            settings.model_path,
            context_tokens=settings.context_tokens,
            threads=settings.threads,
            parallel=settings.parallel,
            system=[system],
            repack=settings.repack,
            lock=settings.lock_memory,
        )

    return EmbeddedBackend(load, [system], _model_failed, limit=limit, record=record)


def _remote(settings: Settings, limit: int) -> RemoteBackend:
    key = settings.secrets.get("backend_api_key")
    if key and settings.backend_url.startswith("http://"):
        log.warning(
            "ASSISTANT_BACKEND_URL is not https: the key and all messages go over the network in the clear"
        )
    return RemoteBackend(
        settings.backend_url,
        model=settings.backend_model,
        key=key,
        context_tokens=settings.context_tokens,
        parallel=settings.parallel,
        limit=limit,
    )


def _model_failed(error: Exception) -> None:
    log.exception(
        "MODEL_PATH: the model could not be loaded or warmed up: check that it is a whole GGUF file, that "
        "ASSISTANT_SYSTEM_PROMPT fits into ASSISTANT_CONTEXT_TOKENS, and the container's memory limit",
        error=type(error).__name__,
    )
    os._exit(BOOT_ERROR)
