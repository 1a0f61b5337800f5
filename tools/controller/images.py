"""Remove images of this project together with what a build left on top of them."""

from __future__ import annotations

import json

from tools.controller.command import capture
from tools.controller.engine import docker, docker_command

REPOSITORIES = ("ai-assistant-wheels", "ai-assistant-machine", "ai-assistant-base")


def remove_images() -> list[str]:
    """Remove all images that the demo and the tests make; return the names of those that went.

    Docker's classic builder leaves unnamed images of its steps, and an image with such children cannot be
    removed. Images that a container uses, and anything with a name of its own, stay.
    """
    removed = []
    for repository in REPOSITORIES:
        for image in docker("image", "ls", "--no-trunc", "--quiet", repository).split():
            for child in _unnamed_descendants(image):
                capture(docker_command("image", "rm", child))
            if capture(docker_command("image", "rm", "--force", image))[0] == 0:
                removed.append(repository)
    return removed


def _unnamed_descendants(image: str) -> list[str]:
    """Return the unnamed images that were built on ``image``, the farthest first."""
    every = docker("image", "ls", "--all", "--no-trunc", "--quiet").split()
    if not every:
        return []
    details = json.loads(docker("image", "inspect", *sorted(set(every))))
    found: list[str] = []
    front = [image]
    while front:
        front = [one["Id"] for one in details if one["Parent"] in front and not one["RepoTags"]]
        found = front + found
    return found
