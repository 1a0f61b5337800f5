#!/usr/bin/python
"""Ansible module: saved objects of Kibana from files of its own export format, imported where they differ."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import urllib.request
import uuid
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kibana_objects
short_description: Import saved objects into Kibana where they differ
description:
  - Kibana changes objects as it takes them (it migrates them to its version), so the sum of what was imported
    is kept in a file; they are imported again where that sum is another one or where one of them is missing.
options:
  url: {description: Address of Kibana with its base path., type: str, required: true}
  user: {description: Who may import., type: str, required: true}
  password: {description: The password., type: str, required: true}
  ca_file: {description: Certificate authority of the address., type: path, default: ""}
  content: {description: The objects, one JSON document a line., type: str, required: true}
  sum_file: {description: File that keeps the sum of what was imported., type: path, required: true}
author: [AI assistant maintainers]
"""
EXAMPLES = r"""
- kibana_objects:
    url: https://127.0.0.1:5601/kibana
    user: elastic
    password: "{{ elk_elastic_password }}"
    ca_file: /etc/ai-assistant-elk/pki/ca.crt
    content: "{{ lookup('ansible.builtin.file', 'objects.ndjson') }}"
    sum_file: /var/lib/ai-assistant-elk/kibana_objects.sha256
"""
RETURN = r"""
imported: {description: How many objects were imported., type: int, returned: always}
"""


class Refused(Exception):
    """Kibana answered with an error, or not at all; ``status`` is 0 without an answer."""

    def __init__(self, status: int, text: str) -> None:
        """Keep the answer's status and what it said."""
        super().__init__(text)
        self.status = status


class Kibana:
    """The two calls of the saved objects' interface.

    https://www.elastic.co/guide/en/kibana/8.15/saved-objects-api.html
    """

    def __init__(self, url: str, user: str, password: str, ca_file: str) -> None:
        """Take the address, who logs in, and the certificate authority (the usual ones where it is empty)."""
        self.url = url.rstrip("/")
        context = ssl.create_default_context(cafile=ca_file or None)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        self.login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def _post(self, path: str, body: bytes, content_type: str) -> bytes:
        # Kibana refuses what a foreign page could send: https://www.elastic.co/guide/en/kibana/8.15/api.html#api-request-headers
        headers = {"Authorization": self.login, "Content-Type": content_type, "kbn-xsrf": "ai-assistant"}
        try:
            request = urllib.request.Request(self.url + path, body, headers, method="POST")  # noqa: S310
            with self._opener.open(request, timeout=120) as answer:
                text: bytes = answer.read()
        except HTTPError as error:
            raise Refused(error.code, error.read().decode(errors="replace")[:500]) from error
        except (URLError, OSError, ValueError) as error:
            raise Refused(0, str(error)) from error
        return text

    def has(self, objects: list[dict[str, Any]]) -> bool:
        """Say whether all objects are there."""
        wanted = [{"type": one["type"], "id": one["id"]} for one in objects]
        body = json.dumps({"objects": wanted, "excludeExportDetails": True}).encode()
        try:
            self._post("/api/saved_objects/_export", body, "application/json")
        except Refused as refused:
            if refused.status == 400:  # "Error fetching objects to export"
                return False
            raise
        return True

    def import_(self, content: str) -> dict[str, Any]:
        """Import objects over those of the same id; return what Kibana says of it."""
        edge = uuid.uuid4().hex
        body = (
            f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="objects.ndjson"\r\n'
            f"Content-Type: application/ndjson\r\n\r\n{content}\r\n--{edge}--\r\n"
        ).encode()
        answer = self._post(
            "/api/saved_objects/_import?overwrite=true", body, f"multipart/form-data; boundary={edge}"
        )
        told: dict[str, Any] = json.loads(answer)
        return told


def objects_of(content: str) -> list[dict[str, Any]]:
    """Return the objects; the line with which Kibana ends an export is none."""
    lines = [json.loads(line) for line in content.splitlines() if line.strip()]
    return [line for line in lines if "type" in line]


def kept_sum(path: str) -> str:
    """Return the sum of what was imported last."""
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read().strip()
    except FileNotFoundError:
        return ""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "ca_file": {"type": "path", "default": ""},
            "content": {"type": "str", "required": True},
            "sum_file": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    objects = objects_of(given["content"])
    total = hashlib.sha256(given["content"].encode()).hexdigest()
    kibana = Kibana(given["url"], given["user"], given["password"], given["ca_file"])
    try:
        if not objects or (kept_sum(given["sum_file"]) == total and kibana.has(objects)):
            module.exit_json(changed=False, imported=0)
        if module.check_mode:
            module.exit_json(changed=True, imported=len(objects))
        told = kibana.import_(given["content"])
    except Refused as refused:
        module.fail_json(msg=f"Kibana at {given['url']}: {refused} (status {refused.status})")
    if not told.get("success"):
        module.fail_json(msg=f"Kibana at {given['url']} did not take all objects: {told.get('errors')}")
    partial = given["sum_file"] + ".new"
    with open(partial, "w", encoding="ascii") as stream:
        stream.write(total + "\n")
    os.replace(partial, given["sum_file"])
    module.exit_json(changed=True, imported=told.get("successCount", len(objects)))


if __name__ == "__main__":
    main()
