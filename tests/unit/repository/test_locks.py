from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from tests.unit.repository.locks import (
    collection_problems,
    disagreement_problems,
    input_problems,
    lock_problems,
    pins,
    source_problems,
)
from tests.unit.repository.project import ROOT, project_files, report

CONTROLLER = ROOT / "requirements" / "controller.lock"
RUNTIME = ROOT / "app" / "requirements" / "runtime.lock"
LOCKS = [path for path in project_files(ROOT) if path.suffix == ".lock"]


def installed_collections() -> Path:
    """Return the folder of the collections in the installed ``ansible`` package."""
    spec = importlib.util.find_spec("ansible_collections")
    assert spec is not None and spec.submodule_search_locations, "the package 'ansible' is not installed"
    return Path(next(iter(spec.submodule_search_locations)))


def test_both_main_locks_are_checked() -> None:
    assert {CONTROLLER, RUNTIME} <= set(LOCKS)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_locks_are_pinned_hashed_and_meet_their_inputs(lock: Path) -> None:
    problems = lock_problems(lock) + input_problems(lock.with_suffix(".in"), lock)
    assert not problems, report(problems)


def test_tests_run_the_application_with_the_versions_of_its_image() -> None:
    problems = disagreement_problems(RUNTIME, CONTROLLER)
    assert not problems, report(problems)


def test_the_engine_is_not_in_the_controllers_lock() -> None:
    assert "llama-cpp-python" not in pins(CONTROLLER)


def test_the_installed_ansible_bundles_the_collections_of_requirements_yml() -> None:
    problems = collection_problems(ROOT / "requirements.yml", installed_collections())
    assert not problems, report(problems)


def test_no_file_says_where_packages_come_from() -> None:
    problems = source_problems(ROOT)
    assert not problems, report(problems)


GOOD = "Some_Name==1.0 ; python_version < '4' \\\n    --hash=sha256:aa\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "pins nothing"),
        ("name==1.0\n", "name==1.0 has no hash"),
        ("name>=1.0 --hash=sha256:aa\n", "'name>=1.0' is not pinned"),
        ("--index-url https://mirror.example/\n" + GOOD, "holds a URL"),
        (GOOD + "    # via -r /home/me/in.in\n", "holds an absolute path"),
    ],
)
def test_a_wrong_lock_is_named(tmp_path: Path, text: str, problem: str) -> None:
    lock = tmp_path / "a.lock"
    lock.write_text(GOOD)
    assert lock_problems(lock) == []
    lock.write_text(text)
    assert [line for line in lock_problems(lock) if problem in line]


@pytest.mark.parametrize("wanted", ["some-name==2", "some-name>1", "other"])
def test_an_input_that_the_lock_does_not_meet_is_named(tmp_path: Path, wanted: str) -> None:
    source, lock = tmp_path / "a.in", tmp_path / "a.lock"
    lock.write_text(GOOD)
    source.write_text("some.name~=1.0  # a comment\n")
    assert input_problems(source, lock) == []
    source.write_text(wanted + "\n")
    (tmp_path / "b.in").write_text("-r a.in\n")
    assert [line for line in input_problems(tmp_path / "b.in", lock) if f"'{wanted}'" in line]


@pytest.mark.parametrize("other", ["some-name==1.1 --hash=sha256:aa\n", "other==1.0 --hash=sha256:aa\n"])
def test_locks_that_disagree_are_named(tmp_path: Path, other: str) -> None:
    one, two = tmp_path / "a.lock", tmp_path / "b.lock"
    one.write_text(GOOD)
    two.write_text(GOOD.replace("Some_Name", "some-name"))
    assert disagreement_problems(one, two) == []
    two.write_text(other)
    assert [line for line in disagreement_problems(one, two) if line.startswith("some-name")]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{name: a.b, version: '>=2'}", "a.b: requirements.yml wants >=2, ansible bundles 1.5.0"),
        ("{name: a.b}", "a.b: requirements.yml gives no version"),
        ("{name: a.c, version: '>=1'}", "a.c: the installed ansible package does not bundle it"),
    ],
)
def test_a_collection_that_is_not_bundled_is_named(tmp_path: Path, entry: str, problem: str) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/MANIFEST.json").write_text(json.dumps({"collection_info": {"version": "1.5.0"}}))
    requirements = tmp_path / "requirements.yml"
    requirements.write_text("collections: [{name: a.b, version: '>=1,<2'}]")
    assert collection_problems(requirements, tmp_path) == []
    requirements.write_text(f"collections: [{entry}]")
    assert collection_problems(requirements, tmp_path) == [problem]


HOST = "https:" + "//packages.somewhere.org"  # in two parts: this file is checked as well


@pytest.mark.parametrize(
    "line",
    [
        f"PACKAGE_INDEX={HOST}/simple",
        f"pip install --index-url {HOST}/pypi flask",
        f"index_url = '{HOST}'",
        "see /wo" + "rk/main/README.md",
    ],
)
def test_a_download_source_or_a_machine_path_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "notes.md"
    example = "assistant_package_index: https://mirror.example.com/simple"
    path.write_text(f"{example}\npip install --index-url $PACKAGE_INDEX\n")
    assert source_problems(tmp_path) == []
    path.write_text(line)
    assert len(source_problems(tmp_path)) == 1
