"""Arrows run one way: channels and inference know nothing of each other."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "app" / "assistant"


def imports(path: Path) -> set[str]:
    """All absolute module names that ``path`` imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # From the same folder is from the same room; anything further would escape this test.
            assert node.level <= 1, f"{path}: a relative import that leaves its folder"
            if node.level == 0:
                found.add(node.module or "")
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("channels", ("inference", "worker", "sender", "runtime", "wsgi", "cli")),
        ("inference", ("channels", "store", "web", "worker", "sender", "runtime", "wsgi", "cli")),
        ("store", ("channels", "inference", "web", "worker", "sender", "runtime", "wsgi", "cli")),
        ("web", ("channels", "inference", "store", "worker", "sender", "runtime", "wsgi", "cli")),
    ],
)
def test_room_imports(room: str, forbidden: tuple[str, ...]) -> None:
    files = sorted((PACKAGE / room).rglob("*.py"))
    assert files
    for path in files:
        for name in imports(path):
            parts = name.split(".")
            assert not (parts[0] == "assistant" and len(parts) > 1 and parts[1] in forbidden), (
                f"{path}: {name}"
            )


def test_one_channel_does_not_import_another() -> None:
    folders = [p for p in (PACKAGE / "channels").iterdir() if p.is_dir() and p.name != "__pycache__"]
    assert len(folders) == 4
    for folder in folders:
        others = {f"assistant.channels.{p.name}" for p in folders if p != folder}
        for path in folder.rglob("*.py"):
            assert not {n for n in imports(path) for o in others if n == o or n.startswith(o + ".")}, path


def test_llama_cpp_is_imported_by_the_model_its_template_and_quantize_alone() -> None:
    users = {
        p.relative_to(PACKAGE).as_posix()
        for p in PACKAGE.rglob("*.py")
        if any("llama_cpp" in n for n in imports(p))
    }
    assert users == {"inference/model.py", "inference/quantize.py", "inference/template.py"}


def test_no_file_is_too_long() -> None:
    long = {
        p.name for p in PACKAGE.rglob("*.*") if p.suffix != ".pyc" and len(p.read_text().splitlines()) >= 400
    }
    assert not long
