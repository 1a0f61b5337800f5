"""Filters of the role firewall: rules as ``ufw show added`` prints them.

ufw prints a rule in one canonical form, with networks without host bits; a rule that is written in another
form would be asked for again in every run (ufw(8), RULE SYNTAX).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

COMMENT = "ai-assistant"
_PORT = re.compile(r"([1-9][0-9]{0,4})/(tcp|udp)")


def firewall_network(value: object) -> str:
    """Return a network or address as ufw prints it; empty where ``value`` is neither.

    Host bits are dropped (``10.1.2.3/8`` becomes ``10.0.0.0/8``) and a full mask is left out.
    """
    try:
        network = ipaddress.ip_network(str(value).strip(), strict=False)
    except ValueError:
        return ""
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return str(network)


def firewall_contains(networks: Iterable[object], address: object) -> bool:
    """Say whether an address lies in one of the networks; a scope (``%eth0``) is ignored."""
    try:
        wanted = ipaddress.ip_address(str(address).partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(wanted, "ipv4_mapped", None) or wanted
    found = (ipaddress.ip_network(str(one).strip(), strict=False) for one in networks)
    return any(mapped.version == one.version and mapped in one for one in found)


def firewall_peers(
    peer_ports: Iterable[Mapping[str, Any]],
    groups: Mapping[str, list[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    host: str,
) -> list[dict[str, str]]:
    """Work out which other hosts of the inventory may reach which ports of ``host``.

    Args:
        peer_ports: The variable ``firewall_peer_ports``: entries of ``from``, ``to`` (groups) and ``ports``.
        groups, hostvars, host: Ansible's ``groups``, ``hostvars`` and ``inventory_hostname``.

    Returns:
        Entries of ``peer`` (its name), ``address`` (as the inventory has it, perhaps a name) and ``port``.
    """
    found = []
    for entry in peer_ports:
        if host not in groups.get(str(entry["to"]), []):
            continue
        for peer in groups.get(str(entry["from"]), []):
            if peer == host:
                continue
            known = hostvars[peer]
            address = str(known.get("firewall_address") or known.get("ansible_host") or peer)
            found += [{"peer": peer, "address": address, "port": str(port)} for port in entry["ports"]]
    return found


def firewall_rules(
    ports: Iterable[object],
    ssh_port: object,
    ssh_networks: Iterable[object],
    limit_ssh: bool,
    peers: Iterable[Mapping[str, str]],
) -> list[str]:
    """Return the wanted rules, with this role's comment.

    Args:
        ports: TCP ports that anyone may reach.
        ssh_port: The one among them that is rate-limited, and narrowed to ``ssh_networks``.
        limit_ssh: Use ``limit`` (the sixth connection in 30 s is refused; ufw(8)) for it.
        peers: What :func:`firewall_peers` returned.
    """
    rules = []
    for port in ports:
        if str(port) != str(ssh_port):
            rules.append(f"allow {port}/tcp")
            continue
        verb = "limit" if limit_ssh else "allow"
        networks = [firewall_network(network) for network in ssh_networks]
        rules += [f"{verb} from {network} to any port {port} proto tcp" for network in networks]
        rules += [] if networks else [f"{verb} {port}/tcp"]
    for peer in peers:
        found = _PORT.fullmatch(peer["port"])
        if found and firewall_network(peer["address"]):
            number, protocol = found.groups()
            rules.append(
                f"allow from {firewall_network(peer['address'])} to any port {number} proto {protocol}"
            )
    return [f"ufw {rule} comment '{COMMENT}'" for rule in dict.fromkeys(rules)]


def firewall_strays(present: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Return the rules of ``ufw show added`` that are nobody's of this role's.

    A rule without the comment, or with ``allow`` instead of ``limit``, that is wanted otherwise is no stray:
    ufw gives it the comment and the verb when the wanted one is added.
    """

    def core(rule: str) -> str:
        return re.sub(r"^ufw (allow|limit) ", "", _bare(rule))

    known = {core(rule) for rule in wanted}
    ours = f" comment '{COMMENT}'"
    return [rule for rule in present if not rule.endswith(ours) and core(rule) not in known]


def _bare(rule: str) -> str:
    return re.sub(r" comment '.*'$", "", rule)


def firewall_deletions(rules: Iterable[str]) -> list[str]:
    """Return the commands that delete rules of ``ufw show added``."""
    return [_bare(rule).replace("ufw ", "ufw --force delete ", 1) for rule in rules]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "firewall_contains": firewall_contains,
            "firewall_deletions": firewall_deletions,
            "firewall_network": firewall_network,
            "firewall_peers": firewall_peers,
            "firewall_rules": firewall_rules,
            "firewall_strays": firewall_strays,
        }
