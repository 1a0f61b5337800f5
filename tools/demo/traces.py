"""What a throwaway deployment leaves on this host beside its machine."""

from __future__ import annotations

from tests.machines.machine import all_machines
from tools.controller.cache import BUILD, cache_directory
from tools.controller.images import remove_images


def remove_traces(name: str) -> list[str]:
    """Remove logs, cached facts and, once no machine is left, the images; return what was there.

    The caches in ``~/.cache/ai-assistant`` and ``.venv`` stay: they are for the next run (README.md).
    """
    removed = []
    files = [*(BUILD / "logs").glob(f"{name}-*.log"), *cache_directory("facts").glob(f"*{name}")]
    for file in files:
        file.unlink()
        removed.append(f"file {file.name}")
    if not all_machines():
        removed += [f"image {repository}" for repository in remove_images()]
    return removed
