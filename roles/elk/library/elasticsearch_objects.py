#!/usr/bin/python
"""Ansible module: policies, templates, pipelines, roles and users of Elasticsearch, put where they differ."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: elasticsearch_objects
short_description: Put objects into Elasticsearch where they differ
description:
  - Elasticsearch adds defaults of its own to what it was given, so an object carries the SHA-256 of what it
    was made of; it is put again where that sum is another one or where somebody else changed a value of ours.
  - A user's password is compared by logging in with it.
options:
  url: {description: Address of Elasticsearch., type: str, required: true}
  user: {description: Who may put objects there; empty where it knows no users., type: str, default: ""}
  password: {description: The password., type: str, default: ""}
  previous_password: {description: The password of before, which is changed., type: str, default: ""}
  ca_file: {description: Certificate authority of the address; or the usual ones., type: path, default: ""}
  objects:
    description: Entries of kind, name and body, in the order in which they are put.
    type: list
    elements: dict
    default: []
  users:
    description: Entries of name, password, roles and built_in.
    type: list
    elements: dict
    default: []
  rollover:
    description: Data streams that begin a new index where a template changed, for example logs-x.*.
    type: str
    default: ""
author: [AI assistant maintainers]
"""
EXAMPLES = r"""
- elasticsearch_objects:
    url: https://127.0.0.1:9200
    user: elastic
    password: "{{ elk_elastic_password }}"
    ca_file: /etc/ai-assistant-elk/pki/ca.crt
    objects: [{kind: ingest_pipelines, name: mine, body: {processors: []}}]
"""
RETURN = r"""
changed_objects: {description: What was put, as kind/name., type: list, returned: always}
"""

MARK = "ai_assistant_sha256"
TEMPLATES = ("component_templates", "index_templates")
# Kind -> path, and the keys that lead to where a sum can be kept; () where Elasticsearch keeps no such notes.
# https://www.elastic.co/guide/en/elasticsearch/reference/8.15/rest-apis.html
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lifecycle_policies": ("/_ilm/policy/", ("policy", "_meta")),
    "component_templates": ("/_component_template/", ("_meta",)),
    "index_templates": ("/_index_template/", ("_meta",)),
    "ingest_pipelines": ("/_ingest/pipeline/", ()),
    "roles": ("/_security/role/", ("metadata",)),
    "snapshot_repositories": ("/_snapshot/", ()),
    "snapshot_policies": ("/_slm/policy/", ()),
}


class Refused(Exception):
    """Elasticsearch answered with an error, or not at all; ``status`` is 0 without an answer."""

    def __init__(self, status: int, text: str) -> None:
        """Keep the answer's status and what it said."""
        super().__init__(text)
        self.status = status


class Elasticsearch:
    """A few calls of the REST interface, in JSON."""

    def __init__(self, url: str, user: str, password: str, ca_file: str) -> None:
        """Take the address, who logs in (empty is nobody), and the authority (empty is the usual ones)."""
        self.url, self.user, self.password = url.rstrip("/"), user, password
        context = ssl.create_default_context(cafile=ca_file or None)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def call(self, method: str, path: str, body: Any = None, login: tuple[str, str] | None = None) -> Any:
        """Return the answer; raises :class:`Refused`."""
        headers = {"Content-Type": "application/json"}
        user, password = login or (self.user, self.password)
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        try:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310
            with self._opener.open(request, timeout=60) as answer:
                text = answer.read()
        except HTTPError as error:
            raise Refused(error.code, _reason(error.read())) from error
        except (URLError, OSError, ValueError) as error:
            raise Refused(0, str(error)) from error
        return json.loads(text) if text.strip() else {}

    def accepts(self, user: str, password: str) -> bool:
        """Say whether the user can log in with the password."""
        try:
            self.call("GET", "/_security/_authenticate", login=(user, password))
        except Refused as refused:
            if refused.status == 401:
                return False
            raise
        return True


def _reason(text: bytes) -> str:
    """Return the first cause that an error names, else its beginning."""
    try:
        error = json.loads(text)["error"]
        return error if isinstance(error, str) else str(error.get("reason") or error)
    except (ValueError, KeyError, TypeError, AttributeError):
        return text.decode(errors="replace")[:300]


def digest(body: Any) -> str:
    """Return the sum of an object as we describe it."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def marked(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object with its sum where its kind keeps one."""
    made: dict[str, Any] = json.loads(json.dumps(body))
    place: dict[str, Any] = made
    for key in KINDS[kind][1]:
        place = place.setdefault(key, {})
    if KINDS[kind][1]:
        place[MARK] = digest(body)
    return made


def found(kind: str, name: str, answer: Any) -> Any:
    """Return the object itself out of the answer to a GET, in the form in which it is put."""
    if kind in TEMPLATES:
        (entry,) = answer[kind]
        return entry[kind[:-1]]
    return answer[name]["policy"] if kind == "snapshot_policies" else answer[name]


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Return settings as dotted names, all beginning with ``index.``, as Elasticsearch takes either form."""
    if not isinstance(settings, Mapping):
        name = prefix if prefix.startswith("index.") else f"index.{prefix}"
        return {name: settings}
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else key)
    return flat


def covers(have: Any, want: Any, key: str = "") -> bool:
    """Say whether what is there has everything that is wanted; what Elasticsearch added does not matter."""
    if key == "settings" and isinstance(want, Mapping) and isinstance(have, Mapping):
        have, want = _flat(have), _flat(want)
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and all(
            name in have and covers(have[name], value, name) for name, value in want.items()
        )
    if isinstance(want, list):
        return (
            isinstance(have, list)
            and len(have) == len(want)
            and all(covers(one, other) for one, other in zip(have, want, strict=True))
        )
    return _plain(have) == _plain(want)


def _plain(value: Any) -> str:
    """Settings come back as words."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def differs(elastic: Elasticsearch, kind: str, name: str, wanted: Mapping[str, Any]) -> bool:
    """Say whether the object is absent or another one."""
    try:
        answer = elastic.call("GET", KINDS[kind][0] + quote(name))
    except Refused as refused:
        if refused.status == 404:
            return True
        raise
    there = found(kind, name, answer)
    # A pipeline is kept as it was given, so that what we took out of it shows, too.
    return not covers(there, wanted) or (kind == "ingest_pipelines" and not covers(wanted, there))


def set_own_password(elastic: Elasticsearch, previous: str, check: bool) -> bool:
    """Change the administrator's own password where only the previous one is taken; return whether it was."""
    if not elastic.user or elastic.accepts(elastic.user, elastic.password):
        return False
    if not previous or not elastic.accepts(elastic.user, previous):
        raise Refused(401, f"it takes neither the password of {elastic.user} nor the one of before")
    if check:
        elastic.password = previous
    else:
        path = f"/_security/user/{quote(elastic.user)}/_password"
        elastic.call("POST", path, {"password": elastic.password}, (elastic.user, previous))
    return True


def set_user(elastic: Elasticsearch, user: Mapping[str, Any], check: bool) -> bool:
    """Give a user its roles and its password; return whether that changed anything."""
    name, password = user["name"], user["password"]
    path = f"/_security/user/{quote(name)}"
    if user.get("built_in"):
        if elastic.accepts(name, password):
            return False
        if not check:
            elastic.call("POST", f"{path}/_password", {"password": password})
        return True
    try:
        there = elastic.call("GET", path)[name]
    except Refused as refused:
        if refused.status != 404:
            raise
        there = {}
    right = there.get("enabled") is True and sorted(there.get("roles", [])) == sorted(user["roles"])
    if right and elastic.accepts(name, password):
        return False
    if not check:
        elastic.call("PUT", path, {"password": password, "roles": user["roles"], "enabled": True})
    return True


def roll_over(elastic: Elasticsearch, pattern: str) -> None:
    """Let the data streams begin a new index: an index keeps the template that it was made with."""
    for stream in elastic.call("GET", f"/_resolve/index/{quote(pattern, safe='*')}")["data_streams"]:
        elastic.call("POST", f"/{quote(stream['name'])}/_rollover")


def apply(elastic: Elasticsearch, parameters: Mapping[str, Any], check: bool) -> list[str]:
    """Put everything that differs; return it as kind/name."""
    changed = []
    if set_own_password(elastic, parameters["previous_password"], check):
        changed.append(f"users/{elastic.user}")
    for entry in parameters["objects"]:
        kind, name = entry["kind"], entry["name"]
        wanted = marked(kind, entry["body"])
        if differs(elastic, kind, name, wanted):
            changed.append(f"{kind}/{name}")
            if not check:
                elastic.call("PUT", KINDS[kind][0] + quote(name), wanted)
    changed += [f"users/{user['name']}" for user in parameters["users"] if set_user(elastic, user, check)]
    if parameters["rollover"] and not check and any(one.startswith(TEMPLATES) for one in changed):
        roll_over(elastic, parameters["rollover"])
    return changed


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "user": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "previous_password": {"type": "str", "default": "", "no_log": True},
            "ca_file": {"type": "path", "default": ""},
            "objects": {"type": "list", "elements": "dict", "default": []},
            "users": {"type": "list", "elements": "dict", "default": [], "no_log": True},
            "rollover": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    strange = sorted({entry["kind"] for entry in given["objects"]} - KINDS.keys())
    if strange:
        module.fail_json(msg=f"unknown kinds of objects: {', '.join(strange)}; known are {', '.join(KINDS)}")
    elastic = Elasticsearch(given["url"], given["user"], given["password"], given["ca_file"])
    try:
        changed = apply(elastic, given, module.check_mode)
    except Refused as refused:
        module.fail_json(msg=f"Elasticsearch at {given['url']}: {refused} (status {refused.status})")
    module.exit_json(changed=bool(changed), changed_objects=changed)


if __name__ == "__main__":
    main()
