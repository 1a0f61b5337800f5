"""Model files that are damaged where a header reads well: a reason each, and no control process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.inference import trial
from assistant.inference.gguf import read_header
from assistant.inference.last_words import explain
from assistant.inference.trial import TrialError
from tests.bench.corrupt_files import kinds, survey
from tests.bench.lifecycle import candidates
from tests.integration.app.conftest import Maker
from tests.integration.app.process import until

ROOT = Path(__file__).resolve().parents[3]


def test_what_damage_does(model_path: Path, tmp_path: Path) -> None:
    """A sample of ``python -m tests.bench.corrupt_files``; the whole of it is run by hand."""
    whole = model_path.read_bytes()
    end = read_header(model_path).tensors[0].offset
    for kind, files in kinds(whole, end, 60).items():
        found = survey(files, tmp_path)
        print(kind, dict(found.outcomes))
        assert not found.outcomes["died"] + found.outcomes["hung"], [
            reason for reason in found.reasons if reason[0] in ("died", "hung")
        ]
        for outcome, damage, reason in found.reasons:
            if outcome.startswith("refused"):
                assert reason and "\n" not in reason and "gives no reason" not in reason, damage
        if kind == "truncated":
            assert found.outcomes["refused by the reader"] == 50
        else:
            assert found.outcomes["answered"], "a flip in a word is no damage that anybody can see"


def test_a_trial_says_what_llama_cpp_misses(model_path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "renamed.gguf"
    broken.write_bytes(model_path.read_bytes().replace(b"output_norm.weight", b"output_form.weight"))
    with pytest.raises(TrialError) as caught:
        trial.attempt(broken)
    assert "'output_norm.weight' not found" in str(caught.value)
    trial.attempt(model_path)


def test_a_damaged_chat_template_is_named(model_path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "template.gguf"
    broken.write_bytes(model_path.read_bytes().replace(b"{% endfor %}", b"{% endfur %}"))
    with pytest.raises(TrialError, match=r"tokenizer\.chat_template"):
        trial.attempt(broken)


def test_a_child_that_dies_is_told_from_one_that_refuses() -> None:
    died = explain(-6, b"loading\nllama-vocab.cpp:1: GGML_ASSERT(a == b) failed\n#0 0x1\n")
    assert "SIGABRT" in died and "GGML_ASSERT(a == b) failed" in died and "SHA-256" in died
    assert "want of memory" in explain(-9, b"")
    assert explain(1, b"first\nthe reason\n") == "the reason"


def test_the_command_names_the_file_in_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF")
    done = subprocess.run(
        [sys.executable, "-m", "assistant.inference.trial", str(bad)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{bad}: ") and len(done.stderr.splitlines()) == 1


def test_the_master_says_why_the_worker_died_and_ends(make_assistant: Maker) -> None:
    """A file that only llama.cpp stumbles over, in its place an abort where it loads."""
    assistant = make_assistant({})
    dying = "from assistant.inference.model import Model\nModel.__init__ = lambda self, *a, **k: os.abort()\n"
    assistant.conf.write_text(assistant.conf.read_text() + dying)
    assistant.start(wait=False)
    assert assistant.process is not None
    assert assistant.process.wait(60) == 3, "an orderly end of the master, not a signal"
    log = assistant.log()
    assert log.count("died while it loaded /") == 1, log[-3000:]
    for word in ("MODEL_PATH", "SIGABRT", "assistant_model_file", "assistant_memory_limit"):
        assert word in log, log[-3000:]


def test_a_worker_that_llama_cpp_aborts_does_not_linger(make_assistant: Maker, tmp_path: Path) -> None:
    """All of the model's threads abort at once, and none may wait for a debugger that is not there."""
    crashing = candidates.make("load", tmp_path / "crashing.gguf")
    assistant = make_assistant({"MODEL_PATH": str(crashing), "ASSISTANT_THREADS": "2"})
    assistant.start(wait=False)
    assert assistant.process is not None
    assert assistant.process.wait(60) == 3
    assert "died while it loaded" in assistant.log()


def test_a_worker_that_dies_later_is_started_again(make_assistant: Maker) -> None:
    assistant = make_assistant({})
    assistant.start()
    until("the master knows", lambda: "the model is loaded" in assistant.log())
    assert assistant.process is not None
    children = Path(f"/proc/{assistant.process.pid}/task/{assistant.process.pid}/children")
    (worker,) = children.read_text().split()
    os.kill(int(worker), signal.SIGSEGV)
    until("another worker", lambda: children.read_text().split() not in ([], [worker]))
    until("it is ready again", assistant.ready)
    assert "died while it loaded" not in assistant.log()
    assert assistant.stop() == 0
