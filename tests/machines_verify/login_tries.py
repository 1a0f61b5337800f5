"""Real tries to get in: passwords through su, sudo and login, and a tally file that is made older."""

from __future__ import annotations

import base64
import json
import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.machines.ssh import await_turn
from tests.machines_verify.machine_access import SSH, Stranger, machine_container, on_machine
from tests.machines_verify.site_run import SiteRun, run_site

INVENTORY = Path(str(SSH["key"])).parent / "inventory"
_RATE_LIMIT_SECONDS = 30
RIGHT, WRONG = "Right-Horse-Battery-9", "wrong"

# A terminal of its own, since login talks to nothing else, and sudo asks again where there is no more input.
# argv: the passwords, the line to type into the shell behind it, the program. For each password it prints
# "in" where "in-42" is seen after it, and "out" otherwise.
_TERMINAL = """
import json, os, pty, select, signal, sys, time
passwords, typed, program = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]
ends = (b"in-42", b"incorrect", b"Sorry", b"locked", b"ermission denied")

def enter(password):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(program[0], program)
    seen, asked, line, deadline = b"", False, typed, time.monotonic() + 60
    while time.monotonic() < deadline and not any(end in seen for end in ends):
        if select.select([terminal], [], [], 0.3)[0]:
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            seen += part
            if not asked and b"assword" in seen:
                os.write(terminal, password.encode() + b"\\n")
                asked = True
        elif asked and line and seen.rstrip()[-1:] in (b"$", b"#"):
            os.write(terminal, line.encode() + b"\\n")
            line = ""
    time.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "in" if b"in-42" in seen else "out"

print(*map(enter, passwords))
"""

# Moves every record of the tally so that the last is AGE seconds old, tries su, says how long that took.
_AGED_SU = """
import struct, subprocess, sys, time
account, password, age, program = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
path = "/var/run/faillock/" + account
data = bytearray(open(path, "rb").read())
times = [struct.unpack_from("=Q", data, at + 56)[0] for at in range(0, len(data), 64)]
now = int(time.time())
for at, old in zip(range(0, len(data), 64), times):
    struct.pack_into("=Q", data, at + 56, now - age - (max(times) - old))
with open(path, "r+b") as file:
    file.write(data)
done = subprocess.run(program, input=password + "\\n", text=True, capture_output=True)
print("in" if done.returncode == 0 else "out", int(time.time()) - now)
"""


def _python(program: str, *arguments: str) -> str:
    """Run a Python program on the machine as root and return what it printed."""
    packed = base64.b64encode(program.encode()).decode()
    return on_machine(f"echo {packed} | base64 -d | python3 - {shlex.join(arguments)}")


def succeeds(command: str) -> bool:
    """Run a shell line on the machine as root and tell whether it ended with 0."""
    return on_machine(f"({command}) >/dev/null 2>&1; echo $?").split()[-1] == "0"


def _su_to(account: str) -> list[str]:
    """Return how the operator, who may use su and is asked for a password, becomes an account."""
    operator = SSH["user"]
    return [
        "setpriv",
        f"--reuid={operator}",
        f"--regid={operator}",
        "--init-groups",
        "su",
        account,
        "-c",
        "true",
    ]


def su(account: str, *passwords: str) -> list[bool]:
    """Become the account as the operator, with one password after another."""
    become = f"{shlex.join(_su_to(account))} >/dev/null 2>&1"
    tries = "; ".join(f"echo {shlex.quote(password)} | {become}; echo $?" for password in passwords)
    return [status == "0" for status in on_machine(tries).split()]


def sudo(account: str, *passwords: str) -> list[bool]:
    """Let the account become root by sudo with its own password, typed once each time."""
    program = ["setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups", "sudo", "-k"]
    tried = _python(_TERMINAL, json.dumps(passwords), "", *program, "sh", "-c", "echo in-$((40 + 2))")
    return [word == "in" for word in tried.split()]


def login(account: str, *passwords: str) -> list[bool]:
    """Log in on a terminal by the program that serves the console."""
    tried = _python(_TERMINAL, json.dumps(passwords), "echo in-$((40 + 2))", "login", account)
    return [word == "in" for word in tried.split()]


def fail(account: str, times: int) -> None:
    """Fail at an account so many times by su; PAM makes each wait, so that all but the first are at once.

    The first alone: failures at the same moment that all find no tally each begin one, and one overwrites
    the other (Linux-PAM, modules/pam_faillock/pam_faillock.c: check_tally opens without creating, write_tally
    creates and writes what was read before).
    """
    become = f"(echo wrong | {shlex.join(_su_to(account))}) >/dev/null 2>&1"
    on_machine(f"{become}; for i in $(seq 2 {times}); do {become} & done; wait")
    assert failures(account) == times


def su_when_last_failure_was(account: str, password: str, age: int) -> tuple[bool, int]:
    """Make the account's failures older, so that the last is ``age`` seconds old, and try su.

    Returns:
        Whether it was let in, and how many seconds later than ``age`` that was at most.
    """
    answer, late = _python(_AGED_SU, account, password, str(age), *_su_to(account)).split()
    return answer == "in", int(late)


def failures(account: str) -> int:
    """Return how many failures faillock counts for an account."""
    lines = on_machine(f"faillock --user {account}").splitlines()
    return sum(line.rstrip().endswith(" V") for line in lines)


@contextmanager
def account_with_password(groups: str = "") -> Iterator[str]:
    """Make an account with the password RIGHT, in more groups where given; removed afterwards."""
    name = f"lock-{secrets.token_hex(3)}"
    more = f"--groups {groups}" if groups else ""
    on_machine(f"useradd --create-home --shell /bin/bash {more} {name} && echo '{name}:{RIGHT}' | chpasswd")
    try:
        yield name
    finally:
        on_machine(
            f"pkill -KILL -u {name}; rm -f /var/run/faillock/{name}; userdel --remove {name} 2>/dev/null"
            "; true"
        )


def admit_key(account: str, public_key: str) -> None:
    """Let a key open an account over SSH, as far as the key goes."""
    home = f"/home/{account}/.ssh"
    on_machine(
        f"install -d -m 700 -o {account} -g {account} {home} && echo '{public_key}' > {home}/authorized_keys"
        f" && chown {account}: {home}/authorized_keys && chmod 600 {home}/authorized_keys"
    )


def key_of(host: Stranger) -> str:
    """Make a stranger's key, which machine_access.Stranger.ssh uses, and return its public half."""
    made = host.run("test -e /tmp/key || ssh-keygen -q -t rsa -b 4096 -N '' -f /tmp/key; cat /tmp/key.pub")
    return made.stdout.strip()


def banned() -> list[str]:
    """Return the addresses that fail2ban keeps out of SSH; a firewall's rate limit is not among them."""
    return on_machine("fail2ban-client get sshd banip").split()


def failed_logins_seen() -> int:
    """Return how many failed logins fail2ban's jail has counted since it started."""
    lines = on_machine("fail2ban-client status sshd").splitlines()
    return int(next(line for line in lines if "Total failed" in line).split()[-1])


def machine_ipv6() -> str:
    """Return the machine's own IPv6 address; empty where its network has none."""
    networks = machine_container()["NetworkSettings"]["Networks"].values()
    return str(next(iter(networks)).get("GlobalIPv6Address") or "")


def refused_by_ban(address: str) -> int:
    """Return how many packets of an address the ban itself refused, which a rate limit did not."""
    listed = on_machine("iptables -nvxL f2b-sshd 2>/dev/null; ip6tables -nvxL f2b-sshd 2>/dev/null; true")
    return sum(int(line.split()[0]) for line in listed.splitlines() if address in line.split())


def answers(host: Stranger) -> bool:
    """Tell whether the machine's SSH port answers a stranger; if not, ask once more after a rate limit.

    The limit counts refused connections too, so that whoever asks again and again never gets in.
    """
    if host.ssh_banner().startswith("SSH-2.0-"):
        return True
    time.sleep(_RATE_LIMIT_SECONDS + 1)
    return host.ssh_banner().startswith("SSH-2.0-")


def harden_lockout(*arguments: str) -> SiteRun:
    """Run the role lockout on the machine as playbooks/harden.yml does."""
    await_turn()  # for the login that the role proves itself by, beside Ansible's own
    return run_site(INVENTORY, "--tags", "lockout", *arguments, playbook="playbooks/harden.yml")
