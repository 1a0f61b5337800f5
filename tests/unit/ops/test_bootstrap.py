from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.repository.project import ROOT

FAKE_QUERY = """#!/bin/sh
case " $INSTALLED " in *" $4 "*|*" $3 "*) printf installed;; *) exit 1;; esac
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder that is the whole PATH of a pretended host."""
    for program in ("sh", "grep", "printf"):
        found = Path("/bin") / program
        if found.exists():
            (tmp_path / program).symlink_to(found)
    return tmp_path


def _probe() -> str:
    # Importing ops/bootstrap.py would deploy, which works inside pyinfra alone; only the pure part is wanted.
    source = (ROOT / "ops/bootstrap.py").read_text().rsplit("\ndeploy()", 1)[0]
    names: dict[str, object] = {"__name__": "bootstrap"}
    exec(compile(source, "ops/bootstrap.py", "exec"), names)
    return str(names["probe"]())  # type: ignore[operator]  # a function of the deploy


def _run(host: Path, installed: str = "") -> str:
    done = subprocess.run(
        ["/bin/sh", "-c", _probe()],
        env={"PATH": str(host), "INSTALLED": installed},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_apt_it_says_so(host: Path) -> None:
    assert _run(host) == "no-apt"


def _debian(host: Path) -> None:
    for name, text in (("apt-get", "#!/bin/sh\n"), ("dpkg-query", FAKE_QUERY)):
        (host / name).write_text(text)
        (host / name).chmod(0o755)


def test_it_names_what_is_missing(host: Path) -> None:
    _debian(host)
    assert _run(host, "sudo ca-certificates").split() == ["python3", "python3-apt"]


def test_with_everything_there_it_says_nothing(host: Path) -> None:
    _debian(host)
    assert _run(host, "python3 python3-apt sudo ca-certificates") == ""
