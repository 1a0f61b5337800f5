"""Say who is locked out of this host, and lift it: faillock's accounts and fail2ban's addresses.

    python3 - look|lift ACCOUNT ADDRESS   (an empty word: not asked for; look changes nothing)

playbooks/unlock.yml runs this on each host, whether the project's roles are there or not. It prints one JSON
object: ``said`` (lines for people), ``changed``, and ``error`` (empty where there is none).
"""

from __future__ import annotations

import ipaddress
import json
import os
import pwd
import re
import shutil
import struct
import subprocess
import sys
import time

# struct tally in Linux-PAM's modules/pam_faillock/faillock.h: source, reserved, status, time
_RECORD = struct.Struct("=52sHHQ")
_VALID = 0x1


class Limits:
    """faillock.conf, with Linux-PAM's own values for what it does not set."""

    def __init__(self, path: str = "/etc/security/faillock.conf") -> None:
        """Read the file; where it is missing the built-in values hold."""
        values = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    name, _, value = line.partition("#")[0].partition("=")
                    values[name.strip()] = value.strip()
        self.deny = int(values.get("deny") or 3)
        self.find_seconds = int(values.get("fail_interval") or 900)
        self.unlock_seconds = int(values.get("unlock_time") or 600)
        self.folder = values.get("dir") or "/var/run/faillock"
        self.root_seconds = int(values.get("root_unlock_time") or self.unlock_seconds)
        self.root_too = "even_deny_root" in values or "root_unlock_time" in values


class Tally:
    """The failures of one account, judged as pam_faillock judges them."""

    def __init__(self, account: str, data: bytes, limits: Limits, now: float) -> None:
        """Read the records of a tally file."""
        records = [
            (time_, source.split(b"\0")[0].decode(errors="replace"))
            for source, _, status, time_ in _RECORD.iter_unpack(data[: len(data) // 64 * 64])
            if status & _VALID
        ]
        self.latest = max((time_ for time_, _ in records), default=0)
        counted = [record for record in records if self.latest - record[0] < limits.find_seconds]
        self.failures = len(counted)
        self.sources = sorted({source or "unknown" for _, source in counted})
        seconds = limits.root_seconds if account == "root" else limits.unlock_seconds
        self.until = self.latest + seconds if seconds else 0
        reached = 0 < limits.deny <= self.failures and (account != "root" or limits.root_too)
        self.locked = reached and (not self.until or self.until >= now)


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def read_tally(account: str, limits: Limits, now: float) -> Tally:
    """Read the failures of an account; none where there is no file."""
    path = os.path.join(limits.folder, account)
    data = b""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            data = file.read()
    return Tally(account, data, limits, now)


def describe(account: str, tally: Tally) -> str:
    """Say in a sentence whether an account is locked, since when and from where."""
    where = ", ".join(tally.sources)
    if tally.locked:
        end = _clock(tally.until) if tally.until else "somebody unlocks it"
        return (
            f"{account} is locked after {tally.failures} failures from {where}, "
            f"since {_clock(tally.latest)} until {end}"
        )
    if tally.failures:
        last = _clock(tally.latest)
        return f"{account} is not locked; {tally.failures} failures from {where}, the last at {last}"
    return f"{account} is not locked and has no failures"


def other_locks(account: str, shadow: str = "/etc/shadow") -> list[str]:
    """Say what else keeps an account out, which no unlocking of ours lifts: its password and its dates."""
    with open(shadow, encoding="utf-8", errors="replace") as file:
        fields = next((line.rstrip("\n").split(":") for line in file if line.startswith(account + ":")), [])
    if len(fields) < 8:
        return []
    today = time.time() / 86400
    said = []
    if fields[1].startswith("!") and len(fields[1]) > 2:
        said.append(f"{account}'s password itself is locked (passwd --unlock {account} lifts that)")
    elif fields[1] in ("", "!", "!!", "*", "!*"):
        said.append(f"{account} has no password, so a key over SSH is the only way in")
    if fields[7] and int(fields[7]) <= today:
        said.append(f"{account} has expired (chage --expiredate -1 {account} lifts that)")
    return said


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the host; the words of the operator were judged before."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603


def _change(*command: str) -> None:
    """Run a program that changes something.

    Raises:
        OSError: It did not end well; the message has what it said.
    """
    done = _run(*command)
    if done.returncode:
        raise OSError(f"{' '.join(command)} said {(done.stdout + done.stderr).strip() or 'nothing'}")


def _fail2ban(*words: str) -> str:
    """Ask fail2ban; an empty string where it is not there or not running."""
    if not shutil.which("fail2ban-client"):
        return ""
    done = _run("fail2ban-client", *words)
    return done.stdout if done.returncode == 0 else ""


def bans() -> list[tuple[str, str, str]]:
    """Return every ban as jail, address and the times that fail2ban gives it."""
    found = []
    listed = re.search(r"Jail list:(.*)", _fail2ban("status"))
    for jail in re.split(r"[,\s]+", listed.group(1).strip()) if listed else []:
        for line in _fail2ban("get", jail, "banip", "--with-time").splitlines():
            address, _, times = line.strip().partition(" ")
            if address:
                found.append((jail, address, " ".join(times.split())))
    return found


def _is_ban_of(banned: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(banned, strict=False)
    except ValueError:
        return False


def unlock_account(account: str, lift: bool) -> tuple[list[str], bool]:
    """Say what is with an account and, where ``lift``, forget its failures.

    Raises:
        LookupError: There is no such account here.
    """
    try:
        pwd.getpwnam(account)
    except KeyError:
        raise LookupError(
            f"there is no account {account} here; give one that exists, for example -e account=operator"
        ) from None
    limits = Limits()
    tally = read_tally(account, limits, time.time())
    said = [describe(account, tally)]
    changed = tally.failures > 0
    if changed and lift:
        _change("faillock", "--dir", limits.folder, "--user", account, "--reset")
    if changed:
        said.append(f"{account}'s failures {'are forgotten' if lift else 'would be forgotten'}")
    return said + other_locks(account), changed


def unban_address(text: str, lift: bool) -> tuple[list[str], bool]:
    """Say where an address is banned and, where ``lift``, lift it.

    Raises:
        ValueError: It is no address.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(
            f"address '{text}' is no IPv4 or IPv6 address; for example -e address=203.0.113.9"
        ) from None
    mine = [ban for ban in bans() if _is_ban_of(ban[1], address)]
    if not mine:
        return [f"{address} is not banned"], False
    said = [f"{address} was banned in {jail}: {times}" for jail, _, times in mine]
    if lift:
        for jail, banned, _ in mine:
            _change("fail2ban-client", "set", jail, "unbanip", banned)
    return [*said, f"{address} {'may come back now' if lift else 'would be let in again'}"], True


def survey() -> list[str]:
    """Say who is locked and banned right now."""
    limits, now = Limits(), time.time()
    names = sorted(os.listdir(limits.folder)) if os.path.isdir(limits.folder) else []
    locked = [describe(name, tally) for name in names if (tally := read_tally(name, limits, now)).locked]
    banned = [f"{address} is banned in {jail}: {times}" for jail, address, times in bans()]
    said = (locked or ["no account is locked"]) + (banned or ["no address is banned"])
    if not _fail2ban("ping"):
        said.append("fail2ban does not run here")
    return said


def main(verb: str, account: str, address: str) -> dict[str, object]:
    """Do what is asked and return what is to be printed."""
    said: list[str] = []
    changed = False
    try:
        if address:  # judged before anything is lifted
            more, changed = unban_address(address, lift=False)
        if account:
            said, changed_account = unlock_account(account, lift=verb == "lift")
            changed = changed or changed_account
        if address:
            more, _ = unban_address(address, lift=verb == "lift")
            said += more
        if not account and not address:
            said = survey()
    except (LookupError, ValueError) as error:
        return {"said": said, "changed": False, "error": str(error)}
    except (OSError, subprocess.SubprocessError) as error:
        return {"said": said, "changed": changed, "error": f"this did not work: {error}"}
    return {"said": said, "changed": changed, "error": ""}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
