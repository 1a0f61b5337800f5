#!/usr/bin/python
"""Ansible module: download a large file, going on where an interrupted download ended."""

from __future__ import annotations

import http.client
import os
import shutil
import time
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError

# Mitogen carries only what a module names itself, not what that imports in turn.
import ansible.module_utils.gguf_reader
import ansible.module_utils.gguf_tables  # noqa: F401
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.gguf import GgufError, read_header
from ansible.module_utils.urls import open_url

DOCUMENTATION = r"""
module: model_download
short_description: Download a model with resume, and judge it before it gets its name
description:
  - Writes to .NAME.part beside the file. What has arrived stays there when the connection breaks, and the
    next attempt, in this run or in a later one, asks for the rest (HTTP Range).
  - A whole file with another SHA-256, or one that cannot be served, is removed.
  - Does nothing where the file exists.
options:
  url: {description: Where it is., type: str, required: true}
  dest: {description: The file., type: path, required: true}
  sha256: {description: Its SHA-256, 64 hexadecimal digits., type: str, required: true}
  spare_bytes: {description: What must stay free on the file system., type: int, default: 0}
  attempts: {description: How often it is tried., type: int, default: 5}
  timeout: {description: Seconds without a byte that end an attempt., type: int, default: 60}
author: [AI assistant maintainers]
"""
EXAMPLES = r"""
- model_download:
    url: https://models.example.org/assistant-q4_0.gguf
    dest: /data/ai-models/assistant-q4_0.gguf
    sha256: "{{ model_sha256 }}"
"""
RETURN = r"""
resumed_from: {description: Bytes that were there already., type: int, returned: changed}
size: {description: Bytes of the file., type: int, returned: changed}
"""
CHUNK = 1 << 20
BROKEN = (URLError, OSError, http.client.HTTPException)


class Refused(Exception):
    """Another try is useless; the text says why."""


def size_of(path: str) -> int:
    """Return the size in bytes; 0 where there is no such file."""
    return os.path.getsize(path) if os.path.exists(path) else 0


def rest_of(part: str, asked: dict[str, Any]) -> None:
    """Append to ``part`` what it lacks.

    Raises:
        Refused: the server does not have the file, or the disk has no room for it.
        OSError, http.client.HTTPException: the connection failed or ended early.
    """
    have = size_of(part)
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        answer = open_url(asked["url"], headers=headers, timeout=asked["timeout"])
    except HTTPError as error:
        if error.code == 416:
            # RFC 9110, 15.5.17: there is nothing from that byte on; the SHA-256 decides whether it is whole.
            return
        if error.code < 500 and error.code not in (408, 429):
            raise Refused(f"the server answers {error.code} {error.reason}") from None
        raise
    with answer, open(part, "r+b" if have else "wb") as stream:
        # RFC 9110, 14.4: only with 206 does the answer begin where we asked; with 200 it is the whole file.
        if answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            stream.seek(have)
        else:
            stream.truncate(have := 0)
        copy(answer, stream, have, asked)


def copy(answer: Any, stream: BinaryIO, have: int, asked: dict[str, Any]) -> None:
    """Write the answer's bytes; ``have`` are there already. Raises what ``rest_of`` does."""
    length = int(answer.headers.get("Content-Length") or 0)
    free = shutil.disk_usage(os.path.dirname(asked["dest"])).free
    if length + asked["spare_bytes"] > free:
        raise Refused(
            f"{length >> 20} MiB are still to come and {asked['spare_bytes'] >> 20} must stay free, "
            f"but only {free >> 20} MiB are"
        )
    arrived = 0
    while chunk := answer.read(CHUNK):
        stream.write(chunk)
        arrived += len(chunk)
    if arrived < length:
        raise ConnectionError(f"the connection ended after {have + arrived} of {have + length} bytes")


def judge(module: AnsibleModule, path: str, sha256: str) -> str:
    """Return what is wrong with a whole file; empty where it is the right one and can be served."""
    found = module.sha256(path)
    if found != sha256:
        return (
            f"its {size_of(path)} bytes have the SHA-256 {found}, not {sha256}. Either model_sha256 is "
            "another file's, or what was fetched is damaged: compare it and run again."
        )
    try:
        read_header(path)
    except GgufError as error:
        return str(error)
    return ""


def fetch(module: AnsibleModule, part: str) -> None:
    """Make ``part`` whole, or end the module with the reason."""
    asked = module.params
    for attempt in range(1, asked["attempts"] + 1):
        try:
            return rest_of(part, asked)
        except Refused as refusal:
            module.fail_json(msg=f"{asked['url']} cannot be fetched: {refusal}")
        except BROKEN as error:
            if attempt == asked["attempts"]:
                module.fail_json(
                    msg=f"{asked['url']}: {error}, at the last of {attempt} attempts. The first "
                    f"{size_of(part)} bytes are kept in {part}; run the same again and it goes on from there."
                )
            time.sleep(min(2**attempt, 30))
    return None


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "sha256": {"type": "str", "required": True},
            "spare_bytes": {"type": "int", "default": 0},
            "attempts": {"type": "int", "default": 5},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    asked = module.params
    if os.path.exists(asked["dest"]):
        module.exit_json(changed=False)
    if module.check_mode:
        module.exit_json(changed=True, resumed_from=0, size=0)
    part = os.path.join(os.path.dirname(asked["dest"]), f".{os.path.basename(asked['dest'])}.part")
    resumed_from = size_of(part)
    fetch(module, part)
    if problem := judge(module, part, asked["sha256"].lower()):
        os.unlink(part)
        module.fail_json(msg=f"{asked['url']} was fetched and removed again: {problem}")
    os.chmod(part, 0o444)
    os.rename(part, asked["dest"])
    module.exit_json(changed=True, resumed_from=resumed_from, size=size_of(asked["dest"]))


if __name__ == "__main__":
    main()
