"""What a deployment on a throwaway machine needs beforehand: images, wheels, a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.controller.model import DEMO_MODEL
from tools.controller.rootfs import ensure_base_image
from tools.controller.venv import ensure_engine_in_venv, ensure_venv
from tools.controller.wheels import engine_wheel, ensure_wheelhouse


@dataclass(frozen=True)
class Artifacts:
    """Files on the controller that ``site.yml`` carries to the machine."""

    base_image: str
    base_image_archive: Path
    wheelhouse: Path
    model: Path


def ensure_artifacts() -> Artifacts:
    """Make whatever is missing, each thing cached, and return where everything is.

    Raises:
        StageFailure: One of them could not be made.
    """
    ensure_venv()
    base_image, archive = ensure_base_image()
    wheelhouse = ensure_wheelhouse(base_image)
    ensure_engine_in_venv(engine_wheel(wheelhouse))
    return Artifacts(base_image, archive, wheelhouse, DEMO_MODEL)
