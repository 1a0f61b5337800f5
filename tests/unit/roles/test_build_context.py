from __future__ import annotations

import json
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.loading import load_file


@pytest.fixture(scope="module")
def packer() -> ModuleType:
    return load_file(ROOT / "roles/assistant/files/build_context.py")


class Tree:
    """A small app with one certificate and one wheel, and a way to pack it."""

    def __init__(self, folder: Path, packer: ModuleType, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.packer, self.capture = folder, packer, capture
        self.app, self.wheels = folder / "app", folder / "wheels"
        for name, text in {
            "app/Dockerfile": "FROM x\n",
            "app/requirements/engine.lock": "llama-cpp-python==1\n",
            "app/assistant/page.txt": "one\n",
            "app/assistant/__pycache__/page.pyc": "cached",
            "wheels/flask-1-py3-none-any.whl": "wheel",
            "company.pem": "certificate",
        }.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def pack(self, base_image: str = "a") -> dict[str, str]:
        arguments = [f"--source={self.app}", f"--wheelhouse={self.wheels}", f"--output={self.folder / 'out'}"]
        arguments += [f"--certificates={self.folder / 'company.pem'}"]
        arguments += ["--arguments", json.dumps({"BASE_IMAGE": base_image})]
        assert self.packer.main(arguments) == 0
        result: dict[str, str] = json.loads(self.capture.readouterr().out)
        return result


@pytest.fixture
def tree(tmp_path: Path, packer: ModuleType, capsys: pytest.CaptureFixture[str]) -> Tree:
    return Tree(tmp_path, packer, capsys)


def test_everything_that_matters_is_packed_and_nothing_else(tree: Tree) -> None:
    with tarfile.open(tree.pack()["archive"]) as tar:
        assert sorted(tar.getnames()) == [
            "Dockerfile",
            "assistant/page.txt",
            "certificates",
            "certificates/00-company.crt",
            "requirements/engine.lock",
            "wheelhouse",
            "wheelhouse/flask-1-py3-none-any.whl",
        ]


def test_an_unchanged_tree_gives_the_same_tag_and_the_same_bytes(tree: Tree) -> None:
    first = tree.pack()
    content = Path(first["archive"]).read_bytes()
    Path(first["archive"]).unlink()
    (tree.app / "Dockerfile").touch()
    assert tree.pack() == first
    assert Path(first["archive"]).read_bytes() == content


@pytest.mark.parametrize(
    "name", ["app/assistant/page.txt", "wheels/flask-1-py3-none-any.whl", "company.pem", "app/Dockerfile"]
)
def test_a_changed_file_gives_another_tag(tree: Tree, name: str) -> None:
    before = tree.pack()["tag"]
    (tree.folder / name).write_text("two\n")
    assert tree.pack()["tag"] != before


def test_another_base_image_gives_another_tag_and_another_engine(tree: Tree) -> None:
    first, second = tree.pack("a"), tree.pack("b")
    assert first["tag"] != second["tag"]
    assert first["engine"] != second["engine"]


def test_the_engine_depends_on_its_lock_and_not_on_the_app(tree: Tree) -> None:
    first = tree.pack()["engine"]
    (tree.app / "assistant/page.txt").write_text("two\n")
    assert tree.pack()["engine"] == first
    (tree.app / "requirements/engine.lock").write_text("llama-cpp-python==2\n")
    assert tree.pack()["engine"] != first


def test_a_wheel_of_the_engine_is_noticed(tree: Tree) -> None:
    assert tree.pack()["has_engine"] is False
    (tree.wheels / "llama_cpp_python-1-py3-none-linux_x86_64.whl").write_text("wheel")
    assert tree.pack()["has_engine"] is True


def test_a_file_of_the_same_length_gets_another_time(tree: Tree) -> None:
    # Flask's ETag is made of a file's time and length.
    times = []
    for text in ("one\n", "two\n"):
        (tree.app / "assistant/page.txt").write_text(text)
        with tarfile.open(tree.pack()["archive"]) as tar:
            times.append(tar.getmember("assistant/page.txt").mtime)
    assert times[0] != times[1]


def test_old_archives_go(tree: Tree) -> None:
    for number in range(8):
        (tree.app / "assistant/page.txt").write_text(f"{number}\n")
        newest = tree.pack()["archive"]
    archives = list((tree.folder / "out").iterdir())
    assert len(archives) == 5
    assert Path(newest) in archives
