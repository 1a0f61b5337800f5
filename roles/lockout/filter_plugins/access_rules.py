"""Judge the rules of access.conf as pam_access does, and compare files with what they should be.

A login is decided by the first rule that matches user and origin: man access.conf.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Rule = Mapping[str, Any]
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\$?")
_GROUP = re.compile(r"\([a-z_][a-z0-9_-]{0,31}\)")


def _network(origin: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Read an address or a network; ValueError says what is wrong with it."""
    return ipaddress.ip_network(origin)


def _origin_problem(origin: object) -> str:
    """Return what is wrong with one origin; empty where it is right."""
    if origin in ("ALL", "LOCAL"):
        return ""
    try:
        _network(str(origin))
    except ValueError as error:
        if "host bits set" in str(error):
            return f"origin {origin} has bits behind its mask; for example {_rounded(str(origin))}"
        return (
            f"origin '{origin}' is neither ALL, LOCAL, an address nor a network (host names are refused, "
            "because whoever writes the DNS would decide); for example 203.0.113.0/24 or 2001:db8::/64"
        )
    return ""


def _rounded(origin: str) -> str:
    """Return the network that an address with a mask lies in."""
    return str(ipaddress.ip_network(origin, strict=False))


def _user_problem(user: object) -> str:
    """Return what is wrong with one user; empty where it is right."""
    text = str(user)
    if text == "ALL" or _USER.fullmatch(text) or _GROUP.fullmatch(text):
        return ""
    return (
        f"user '{user}' is neither a user, a (group) in parentheses nor ALL; "
        "for example operator or (auditors)"
    )


def access_problems(rules: object, variable: str) -> list[str]:
    """Return what is wrong with the rules of an operator, one message each.

    Args:
        rules: A list of {permission, users, origins}, as the inventory has it.
        variable: Its name, for the messages.
    """
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        return [f"{variable} is no list"]
    problems = []
    for number, rule in enumerate(rules, start=1):
        where = f"{variable}, rule {number}: "
        if not isinstance(rule, Mapping) or set(rule) != {"permission", "users", "origins"}:
            problems.append(f"{where}it must have permission, users and origins, and nothing else")
            continue
        if rule["permission"] not in ("+", "-"):
            problems.append(f"""{where}permission is '{rule["permission"]}', not "+" or "-" (in quotes)""")
        problems += _field_problems(where, "users", rule["users"], _user_problem)
        problems += _field_problems(where, "origins", rule["origins"], _origin_problem)
    return problems


def _field_problems(where: str, name: str, values: object, judge: Callable[[object], str]) -> list[str]:
    """Return what is wrong with a list of users or origins."""
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        return [f"{where}{name} must be a list of at least one"]
    return [where + problem for problem in map(judge, values) if problem]


def origin_problems(origins: object, variable: str) -> list[str]:
    """Return what is wrong with a list of origins, one message each."""
    return _field_problems(f"{variable}: ", "it", origins, _origin_problem)


def _is_user(pattern: str, user: str, groups: Iterable[str]) -> bool:
    """Tell whether a user pattern matches, as pam_access does with nodefgroup."""
    if pattern.startswith("("):
        return pattern[1:-1] in set(groups)
    return pattern in ("ALL", user)


def _is_from(origin: str, address: str) -> bool:
    """Tell whether an origin matches the address that a login over the network comes from."""
    if origin in ("ALL", "LOCAL"):
        return origin == "ALL"
    return ipaddress.ip_address(address.partition("%")[0]) in _network(origin)


def access_decision(rules: Iterable[Rule], user: str, groups: Iterable[str], address: str) -> dict[str, Any]:
    """Tell what the first rule that matches says of a login over SSH.

    Args:
        rules: Rules without problems, in their order.
        user, groups: Who comes, and all groups that he is in.
        address: Where he comes from, an IPv4 or IPv6 address.

    Returns:
        allowed, and the rule in the words of access.conf.
    """
    members = list(groups)
    for rule in rules:
        matches_user = any(_is_user(pattern, user, members) for pattern in rule["users"])
        if matches_user and any(_is_from(origin, address) for origin in rule["origins"]):
            text = f"{rule['permission']}:{' '.join(rule['users'])}:{' '.join(rule['origins'])}"
            return {"allowed": rule["permission"] == "+", "rule": text}
    return {"allowed": True, "rule": ""}


def stale_files(files: Iterable[Mapping[str, str]], lines: Iterable[str], mode: str = "644") -> list[Any]:
    """Return those of the files that the host does not have as they should be.

    Args:
        files: {path, content} each; all are root's.
        lines: What files/report.sh said: "file SHA256 OWNER:GROUP MODE PATH".
        mode: The permissions of every file, octal without a leading zero.
    """
    there = set(lines)
    found = []
    for file in files:
        digest = hashlib.sha256(file["content"].encode()).hexdigest()
        if f"file {digest} root:root {mode} {file['path']}" not in there:
            found.append(dict(file))
    return found


def stale_services(services: Iterable[str], lines: Iterable[str], wanted: str, enabled: bool) -> list[str]:
    """Return the services whose PAM file does not ask access.conf as it should.

    Args:
        services: Names of files in /etc/pam.d.
        lines: What files/report.sh said: "pam SERVICE LINE".
        wanted: The one line that each of them must have, or must not have where this is not enabled.
    """
    there = [line for line in lines if "pam_access.so" in line]
    found = []
    for service in services:
        asked = [line for line in there if line.startswith(f"pam {service} ")]
        ours = f"pam {service} {wanted}"
        if asked != [ours] if enabled else ours in asked:
            found.append(service)
    return found


class FilterModule:
    """What Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {
            "lockout_access_problems": access_problems,
            "lockout_origin_problems": origin_problems,
            "lockout_access_decision": access_decision,
            "lockout_stale": stale_files,
            "lockout_stale_services": stale_services,
        }
