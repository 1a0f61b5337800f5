from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tools.controller import cache, command, engine, packages, rootfs
from tools.controller.failure import StageFailure


def test_fingerprint_changes_with_every_part_and_with_where_parts_end(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.write_text("one")
    first = cache.fingerprint("a", file)
    assert first == cache.fingerprint("a", file)
    file.write_text("two")
    assert cache.fingerprint("a", file) != first
    assert cache.fingerprint("ab", "c") != cache.fingerprint("a", "bc")


def test_cache_directory_follows_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_ASSISTANT_CACHE", str(tmp_path / "elsewhere"))
    assert cache.cache_directory("wheels") == tmp_path / "elsewhere" / "wheels"
    assert (tmp_path / "elsewhere" / "wheels").is_dir()


def test_capture_tells_absent_programs_and_silence_from_failure() -> None:
    assert command.capture(["no-such-program-here"])[0] == 127
    assert command.capture([sys.executable, "-c", "import time; time.sleep(9)"], timeout=0.2)[0] == 124
    assert command.capture([sys.executable, "-c", "print('said'); raise SystemExit(3)"]) == (3, "said\n")


def test_run_keeps_the_log_and_puts_the_last_lines_and_the_remedy_into_the_failure(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "run.log"
    script = "import sys; print('first line'); print('the cause', file=sys.stderr); sys.exit(4)"
    with pytest.raises(StageFailure) as caught:
        command.run([sys.executable, "-c", script], log=log, what="the step", remedy="do that")
    assert "the step ended with status 4" in caught.value.why
    assert "the cause" in caught.value.why
    assert str(log) in caught.value.why
    assert caught.value.remedy == "do that"
    assert "first line" in log.read_text()


def test_run_passes_variables_and_appends_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    script = "import os; print(os.environ['MARK'])"
    for mark in ("once", "twice"):
        command.run([sys.executable, "-c", script], log=log, what="x", remedy="y", env={"MARK": mark})
    assert log.read_text().split() == ["once", "twice"]


def test_run_says_so_when_the_program_is_absent(tmp_path: Path) -> None:
    with pytest.raises(StageFailure, match="cannot start no-such-program-here"):
        command.run(["no-such-program-here"], log=tmp_path / "log", what="the step", remedy="install it")


def test_packages_without_apt_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(StageFailure, match="missing: made-up, and there is no apt-get"):
        packages.ensure_packages({"made-up": "no-such-program-here"})


def test_packages_that_are_there_ask_nothing_of_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    packages.ensure_packages({"python3": sys.executable})


@pytest.mark.parametrize("policy", [False, True], ids=["no policy", "a policy of its own"])
def test_packages_without_services_start_nothing_now_and_at_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: bool
) -> None:
    file = tmp_path / "policy-rc.d"
    if policy:
        file.write_text("its own\n")
    said = tmp_path / "said"
    for program, body in {
        "apt-get": f'[ "$1" = update ] || {{ cat "{file}"; echo "$@"; }} >>"{said}"',
        "dpkg": "printf '%s\\n' /lib/systemd/system/one.service /usr/lib/systemd/system/two.timer "
        "/lib/systemd/system/three@.service /usr/bin/one",
        "systemctl": f'echo "systemctl $@" >>"{said}"',
    }.items():
        (tmp_path / program).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(packages, "BUILD", tmp_path / "build")
    monkeypatch.setattr(packages, "as_root", list)
    script = packages._WITHOUT_SERVICES.replace("/usr/sbin/policy-rc.d", str(file))
    monkeypatch.setattr(packages, "_WITHOUT_SERVICES", script)
    packages.ensure_packages({"one": "no-such-program-here"}, services=False)
    forbidden = "its own" if policy else "#!/bin/sh\nexit 101"
    install = "install -y --no-install-recommends one"
    assert said.read_text() == f"{forbidden}\n{install}\nsystemctl disable --quiet one.service two.timer\n"
    assert file.exists() is policy


def test_only_the_pid_file_of_a_dead_engine_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, reused, alive = (tmp_path / name for name in ("dead", "reused", "alive"))
    dead.write_text("4194305")  # above the largest process id of Linux (proc(5), pid_max)
    reused.write_text(str(os.getpid()))
    alive.write_text(str(os.getpid()))
    ours = Path("/proc/self/comm").read_text().strip()
    monkeypatch.setattr(engine, "as_root", list)
    for name, pid_file in (("dockerd", dead), ("dockerd", reused), (ours, alive)):
        monkeypatch.setattr(engine, "_PID_FILES", {name: pid_file})
        engine._forget_dead_engine()
    assert [path.exists() for path in (dead, reused, alive)] == [False, False, True]


def test_a_foreign_release_comes_from_its_own_archive_with_its_own_keyring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.delenv("MACHINE_MIRROR", raising=False)
    monkeypatch.setattr(rootfs, "ensure_packages", asked.extend)
    monkeypatch.setattr(rootfs, "_host_release", lambda: "noble")
    assert rootfs._archive("bookworm") == ([], [])
    monkeypatch.setattr(rootfs, "_host_release", lambda: "bookworm")
    assert rootfs._archive("jammy") == (["--components=main,universe"], [])
    assert asked == ["debian-archive-keyring", "ubuntu-keyring"]


def test_an_older_release_comes_from_the_mirror_that_the_host_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = tmp_path / "debian.sources"
    text = "Types: deb\nURIs: http://mirror.example/debian\nSuites: {0} {0}-updates {0}-security\n"
    sources.write_text(text.format("bookworm"))
    monkeypatch.delenv("MACHINE_MIRROR", raising=False)
    monkeypatch.setattr(rootfs, "_host_release", lambda: "bookworm")
    monkeypatch.setattr(rootfs, "_SOURCES", (str(sources), str(tmp_path / "none.list")))
    monkeypatch.setattr(rootfs, "BUILD", tmp_path / "build")
    assert rootfs._archive("bookworm") == ([], [str(sources)])
    options, (translated,) = rootfs._archive("bullseye")
    assert options == []
    assert Path(translated).read_text() == text.format("bullseye")
    assert Path(translated).suffix == ".sources", "mmdebstrap tells the two formats apart by it"


def test_the_hosts_own_release_comes_from_the_hosts_own_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MACHINE_MIRROR", raising=False)
    monkeypatch.setattr(rootfs, "_host_release", lambda: "bookworm")
    options, sources = rootfs._archive("bookworm")
    assert options == []
    assert all(Path(source).exists() for source in sources)
    monkeypatch.setenv("MACHINE_MIRROR", "http://mirror.example/debian")
    assert rootfs._archive("bookworm") == ([], ["http://mirror.example/debian"])
