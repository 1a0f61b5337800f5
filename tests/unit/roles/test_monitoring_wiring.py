"""What group_vars make of the group ``monitoring``: on the assistant's host, on one of its own, or absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.wiring import resolve, shipped

PLAY = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        all_ipv4_addresses: ["10.0.0.7"]
        all_ipv6_addresses: ["2001:db8::5"]
        default_ipv4: {address: 10.0.0.7}
        cacheable: true
    - ansible.builtin.copy:
        content: "{{ wanted | to_json }}"
        dest: "{{ folder }}/{{ inventory_hostname }}.json"
        mode: "0600"
      vars:
        wanted:
          node: "{{ node_exporter_listen_address }}"
          metrics_port: "{{ proxy_metrics_port }}"
          metrics_allowed: "{{ proxy_metrics_allowed }}"
          open_ports: "{{ firewall_allowed_tcp_ports }}"
          prometheus: >-
            {{ {} if inventory_hostname not in groups['monitoring'] | default([]) else
               {'assistants': prometheus_assistants, 'nodes': prometheus_nodes, 'probes': prometheus_probes,
                'verify': blackbox_exporter_verify_certificates} }}
"""
ASSISTANT = {"ansible_host": "203.0.113.7", "proxy_domain": "assistant.example.org"}


def resolved(folder: Path, hosts: dict[str, Any]) -> dict[str, Any]:
    """Return what the wiring gives for each host of ``hosts``, an inventory beside the shipped one."""
    return resolve(folder, PLAY, hosts)


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The shipped group_vars, without the example's own hosts."""
    return shipped(tmp_path, request.param)


@pytest.mark.parametrize("folder", ["example", "demo"], indirect=True)
def test_no_group_opens_nothing(folder: Path) -> None:
    hosts = resolved(folder, {"assistant": {"hosts": {"one": ASSISTANT}}})
    assert hosts["one"]["metrics_port"] == 0
    assert hosts["one"]["metrics_allowed"] == []
    assert hosts["one"]["open_ports"] == [22, 80, 443]


@pytest.mark.parametrize("folder", ["example", "demo"], indirect=True)
def test_on_the_assistants_own_host_everything_is_on_loopback(folder: Path) -> None:
    host = resolved(
        folder,
        {"assistant": {"hosts": {"one": ASSISTANT}}, "monitoring": {"hosts": {"one": {}}}},
    )["one"]
    assert (host["node"], host["metrics_port"], host["open_ports"]) == ("127.0.0.1:9100", 0, [22, 80, 443])
    seen = host["prometheus"]
    assert seen["assistants"] == {"one": "127.0.0.1:8000"}
    assert seen["nodes"] == {"one": "127.0.0.1:9100"}
    assert [probe["instance"] for probe in seen["probes"]] == ["one"]
    assert all(probe["url"].endswith("/healthz") for probe in seen["probes"])


@pytest.mark.parametrize("folder", ["example"], indirect=True)
def test_a_host_of_its_own_reaches_the_others_by_their_addresses(folder: Path) -> None:
    six = {"ansible_host": "2001:db8::5", "proxy_domain": "six.example.org", "proxy_tls_mode": "self_signed"}
    hosts = resolved(
        folder,
        {
            "assistant": {"hosts": {"one": {**ASSISTANT, "firewall_address": "10.0.0.7"}, "six": six}},
            "monitoring": {
                "hosts": {"watch": {"ansible_host": "watch.example.org", "firewall_address": "10.0.0.8"}}
            },
        },
    )
    seen = hosts["watch"]["prometheus"]
    assert seen["assistants"] == {"one": "10.0.0.7:9101", "six": "[2001:db8::5]:9101"}
    assert seen["nodes"] == {"one": "10.0.0.7:9100", "six": "[2001:db8::5]:9100", "watch": "127.0.0.1:9100"}
    assert seen["verify"] is False
    assert seen["probes"][0] == {"instance": "one", "url": "https://assistant.example.org/healthz"}
    assert hosts["watch"]["open_ports"] == [22]
    assert hosts["watch"]["metrics_port"] == 0
    assert (hosts["one"]["node"], hosts["six"]["node"]) == ("10.0.0.7:9100", "[2001:db8::5]:9100")
    for name in ("one", "six"):
        assert (hosts[name]["metrics_port"], hosts[name]["metrics_allowed"]) == (9101, ["10.0.0.8"])


@pytest.mark.parametrize("folder", ["example"], indirect=True)
def test_an_exporter_listens_on_an_address_that_the_host_has(folder: Path) -> None:
    hosts = resolved(
        folder,
        {
            "assistant": {
                "hosts": {
                    "own": {**ASSISTANT, "ansible_host": "10.0.0.7"},
                    "translated": ASSISTANT,
                }
            },
            "monitoring": {"hosts": {"watch": {"ansible_host": "203.0.113.8"}}},
        },
    )
    assert hosts["own"]["node"] == "10.0.0.7:9100"
    assert hosts["translated"]["node"] == "10.0.0.7:9100"
