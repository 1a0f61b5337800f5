"""The filters of the role firewall: what ufw is asked for, and what is somebody else's."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.loading import load_file


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    return load_file(ROOT / "roles/firewall/filter_plugins/firewall_rules.py")


def wanted(rules: ModuleType, **values: Any) -> list[str]:
    given: dict[str, Any] = {
        "ports": [22, 443],
        "ssh_port": 22,
        "ssh_networks": [],
        "limit_ssh": True,
        "peers": [],
    }
    given.update(values)
    made: list[str] = rules.firewall_rules(*given.values())
    assert all(rule.startswith("ufw ") and rule.endswith(" comment 'ai-assistant'") for rule in made)
    return [rule.removeprefix("ufw ").removesuffix(" comment 'ai-assistant'") for rule in made]


def test_ssh_alone_is_rate_limited(rules: ModuleType) -> None:
    assert wanted(rules) == ["limit 22/tcp", "allow 443/tcp"]
    assert wanted(rules, limit_ssh=False) == ["allow 22/tcp", "allow 443/tcp"]


def test_networks_narrow_ssh_and_nothing_else(rules: ModuleType) -> None:
    assert wanted(rules, ssh_networks=["10.1.2.3/8", "2001:DB8::1", "192.0.2.7/32"]) == [
        "limit from 10.0.0.0/8 to any port 22 proto tcp",
        "limit from 2001:db8::1 to any port 22 proto tcp",
        "limit from 192.0.2.7 to any port 22 proto tcp",
        "allow 443/tcp",
    ]


HOSTS: dict[str, dict[str, str]] = {
    "watch": {"ansible_host": "192.0.2.9"},
    "a": {"ansible_host": "192.0.2.1", "firewall_address": "10.0.0.1"},
    "b": {"ansible_host": "b.example.org"},
}
GROUPS = {"all": ["watch", "a", "b"], "monitoring": ["watch"], "swarm": ["a", "b"]}
PEER_PORTS = [
    {"from": "monitoring", "to": "all", "ports": ["9100/tcp"]},
    {"from": "swarm", "to": "swarm", "ports": ["7946/udp"]},
    {"from": "absent", "to": "all", "ports": ["1/tcp"]},
]


def test_ports_open_for_the_hosts_of_a_group_alone(rules: ModuleType) -> None:
    peers = rules.firewall_peers(PEER_PORTS, GROUPS, HOSTS, "b")
    assert wanted(rules, ports=[22], peers=peers) == [
        "limit 22/tcp",
        "allow from 192.0.2.9 to any port 9100 proto tcp",
        "allow from 10.0.0.1 to any port 7946 proto udp",
    ]
    assert rules.firewall_peers(PEER_PORTS, GROUPS, HOSTS, "watch") == []


def test_a_peer_without_an_address_opens_nothing(rules: ModuleType) -> None:
    peers = rules.firewall_peers(PEER_PORTS, GROUPS, HOSTS, "a")
    assert {peer["address"] for peer in peers} == {"192.0.2.9", "b.example.org"}
    assert [rule for rule in wanted(rules, peers=peers) if "7946" in rule] == []


@pytest.mark.parametrize("value", ["", "office", "10.0.0.0/33", "10.0.0", "::/129", None])
def test_what_is_no_network_is_said_to_be_none(rules: ModuleType, value: object) -> None:
    assert rules.firewall_network(value) == ""


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.9.9.9", True),
        ("::ffff:10.9.9.9", True),
        ("11.0.0.1", False),
        ("fd00::1%eth0", True),
        ("fe80::1", False),
        ("", False),
    ],
)
def test_the_controllers_address_is_looked_for(rules: ModuleType, address: str, inside: bool) -> None:
    assert rules.firewall_contains(["10.0.0.0/8", "fd00::5/8"], address) is inside


def test_strays_are_what_nobody_here_asked_for(rules: ModuleType) -> None:
    ours = " comment 'ai-assistant'"
    present = [
        "ufw allow 22/tcp",  # an earlier version's, before the limit
        "ufw allow 443/tcp" + ours,
        "ufw allow 8080/tcp" + ours,  # ours, not wanted any more: removed, no stray
        "ufw allow 9999",
        "ufw allow 25/tcp comment 'mail'",
        "ufw deny 443/tcp",
    ]
    asked = ["ufw limit 22/tcp" + ours, "ufw allow 443/tcp" + ours]
    assert rules.firewall_strays(present, asked) == [
        "ufw allow 9999",
        "ufw allow 25/tcp comment 'mail'",
        "ufw deny 443/tcp",
    ]
    assert rules.firewall_deletions(["ufw allow 25/tcp comment 'mail'"]) == [
        "ufw --force delete allow 25/tcp"
    ]
