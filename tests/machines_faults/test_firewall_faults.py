"""Rules that would cut SSH, and a run that ends in the middle of a change."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.machines_faults.harden_run import harden, harden_until, reachable
from tests.machines_verify.machine_access import eventually, on_machine

CUT = "-A ufw-before-input -p tcp --dport 22 -m conntrack --ctstate NEW -j DROP"
# A change that is harmless by itself; applying it loads what somebody wrote into before.rules.
CHANGE = ("-e", json.dumps({"firewall_container_interfaces": ["docker+", "br-+", "veth-test+"]}))
ARMED = "systemctl is-active --quiet ai-assistant-guard-firewall.timer"


def rules() -> str:
    """Return the rules in force, without counters and without bans."""
    saved = on_machine("iptables -S; ip6tables -S; ufw show added; cat /etc/ufw/after.rules /etc/default/ufw")
    return "\n".join(line for line in saved.splitlines() if "f2b" not in line)


@pytest.fixture
def cut_by_hand() -> Iterator[None]:
    file, present = "/etc/ufw/before.rules", f"grep -qF -- '{CUT}' /etc/ufw/before.rules"
    on_machine(f"sed -i '/^# End required lines/a {CUT}' {file} && {present}")
    yield
    on_machine(f"sed -i '/ --dport 22 .*DROP$/d' {file} && ! {present}")
    assert harden().status == 0
    assert harden().changed == 0


@pytest.mark.usefixtures("cut_by_hand")
def test_rules_that_cut_ssh_take_themselves_back() -> None:
    before = rules()
    run = harden(*CHANGE)
    assert run.status != 0
    for words in ("A new key login to", "the rules of the firewall", "put back", "before.rules"):
        assert words in run.said, run.output[-3000:]
    assert reachable()
    assert rules() == before


@pytest.mark.usefixtures("cut_by_hand")
def test_a_run_that_is_cut_off_is_taken_back_by_the_host_itself() -> None:
    before = rules()
    # Armed, changed, and SSH closed: the worst moment to lose the controller.
    harden_until(f"{ARMED} && iptables -S ufw-before-input | grep -q -- '--dport 22 .*DROP'", *CHANGE)
    assert rules() != before
    assert eventually(lambda: rules() == before, 90)
    assert reachable()
    assert "no new SSH login was proven" in on_machine("journalctl -t ai-assistant-guard -n 1 --no-pager")


def test_the_run_after_one_that_was_cut_off_goes_on() -> None:
    """No accident but the cut: the next run begins while the guard still waits, and finishes the change."""
    harden_until(ARMED, *CHANGE)
    run = harden(*CHANGE)
    assert run.status == 0, run.output[-3000:]
    assert reachable()
    assert "veth-test+" in on_machine("iptables -S DOCKER-USER")
    assert on_machine("systemctl list-units --all 'ai-assistant-guard*' --no-legend").strip() == ""
    assert harden().status == 0
    assert "veth-test+" not in on_machine("iptables -S DOCKER-USER")


def test_networks_without_the_controller_are_refused_before_any_change() -> None:
    run = harden("-e", json.dumps({"firewall_ssh_networks": ["198.51.100.0/24"]}))
    assert run.status != 0
    assert run.changed == 0
    for words in ("firewall_ssh_networks", "198.51.100.0/24", "locked out", "main.yml", "example"):
        assert words in run.said, run.output[-3000:]


def test_a_stray_rule_is_reported_and_removed_only_when_asked() -> None:
    on_machine("ufw allow 9999/tcp; iptables -A INPUT -p tcp --dport 9998 -j ACCEPT")
    run = harden()
    assert run.status == 0
    assert run.changed == 0
    assert "ufw allow 9999/tcp" in run.said
    assert "--dport 9998 -j ACCEPT" in run.said
    assert "firewall_close_unlisted" in run.said
    assert harden("-e", json.dumps({"firewall_close_unlisted": True})).status == 0
    assert "9999" not in on_machine("ufw show added")
    assert "9998" not in on_machine("iptables -S INPUT")
