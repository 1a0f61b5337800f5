from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.repository.documents import (
    documents,
    link_problems,
    make_problems,
    path_problems,
    translation_problems,
    variable_problems,
)
from tests.unit.repository.project import ROOT, report

DOCUMENTS = documents(ROOT)
PAGES = {"README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}


def test_the_documents_that_a_reader_looks_for_are_here() -> None:
    assert {path.name for path in DOCUMENTS if path.parent == ROOT} >= PAGES


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(document: Path) -> None:
    problems = [
        *link_problems(document),
        *make_problems(ROOT, document),
        *path_problems(ROOT, document),
        *variable_problems(ROOT, document),
    ]
    assert not problems, report(problems)


def test_the_chinese_readme_follows_the_english_one() -> None:
    problems = translation_problems(ROOT / "README.md", ROOT / "README.zh-CN.md")
    assert not problems, report(problems)


def test_every_page_can_be_reached_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if f"docs/{page.name}" not in text]
    assert not missing, report(missing)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose one page has nothing wrong."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "Makefile").write_text(".PHONY: test\nNAME := x\ntest lint: build\n\ttrue\n")
    (tmp_path / "roles/web/meta").mkdir(parents=True)
    (tmp_path / "roles/web/meta/argument_specs.yml").write_text(
        "argument_specs: {main: {options: {web_port: {type: int, default: 80}}}}"
    )
    (tmp_path / "docs/other.md").write_text("# A `page`, here\n")
    (tmp_path / "docs/page.md").write_text(
        "# Page\n[other](other.md) [there](other.md#a-page-here) [here](#page) [far](https://example.org/x)\n"
        "`make -s test` makes a difference; `web_port`, `web_*`, `--tags web_run`, `roles/web/`.\n"
        "```sh\nmake lint X=1  # make sure\ncat docs/other.md inventory/production/hosts.yml\n```\n"
    )
    return tmp_path


def problems_of(root: Path) -> list[str]:
    page = root / "docs/page.md"
    return [
        *link_problems(page),
        *make_problems(root, page),
        *path_problems(root, page),
        *variable_problems(root, page),
    ]


def test_a_right_page_has_no_problems(project: Path) -> None:
    assert problems_of(project) == []


@pytest.mark.parametrize(
    ("addition", "problem"),
    [
        ("[x](gone.md)", "gone.md does not exist"),
        ("[x](other.md#gone)", "other.md#gone names no heading"),
        ("[x](#gone)", "#gone names no heading"),
        ("`make gone`", "make gone is not a target"),
        ("```\nmake -s gone\n```", "make gone is not a target"),
        ("`playbooks/gone.yml`", "playbooks/gone.yml does not exist"),
        ("```yaml\nweb_prot: 80\n```", "web_prot is not a variable"),
        ("`vault_gone`", "vault_gone is not a variable"),
    ],
)
def test_what_does_not_exist_is_named(project: Path, addition: str, problem: str) -> None:
    page = project / "docs/page.md"
    page.write_text(page.read_text() + addition + "\n")
    assert problems_of(project) == [
        f"page.md: {problem}"
        + (" of the Makefile" if "make" in problem else "")
        + (" of any role" if "variable" in problem else "")
    ]


ENGLISH = "# One\n[x](a.md)\n## Two\n```sh\nmake test  # checks\n```\n```text\na\n```\n"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("## Two\n", "", "headings"),
        ("## Two", "### Two", "headings"),
        ("make test", "make lint", "code block: ['make test']"),
        ("```sh", "```", "code block: ```sh"),
        ("```text\na\n```\n", "", "code blocks: 2"),
        ("[x](a.md)", "[x](b.md)", "links"),
    ],
)
def test_a_translation_out_of_step_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    original, translation = tmp_path / "a.md", tmp_path / "b.zh.md"
    original.write_text(ENGLISH)
    chinese = ENGLISH.replace("One", "一").replace("# checks", "# 检查")
    translation.write_text(chinese)
    assert translation_problems(original, translation) == []
    translation.write_text(chinese.replace(old, new))
    assert [line for line in translation_problems(original, translation) if line.startswith(problem)]
