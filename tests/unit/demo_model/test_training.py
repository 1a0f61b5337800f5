"""The training room against llama.cpp itself, with a model that is trained for seconds.

Needs what requirements/demo_model.lock names, which the ordinary environment has not.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jax", reason="needs the packages of requirements/demo_model.lock")
pytest.importorskip("tokenizers", reason="needs the packages of requirements/demo_model.lock")

import jax.numpy as jnp
import numpy as np

from assistant.inference.context import Chunk, Context
from assistant.inference.model import Model
from assistant.inference.quantize import quantize
from assistant.messages import Turn
from assistant.settings import DEFAULT_SYSTEM_PROMPT
from tests.bench.demo_model.score import questions
from tests.unit.demo_model.data import group, why, write
from tools.demo_model.augment import NONE
from tools.demo_model.batches import ROW_COUNTED, Example, Examples, Mix, pack, split
from tools.demo_model.export import write_f16
from tools.demo_model.intents import Knowledge, load
from tools.demo_model.network import forward, logits
from tools.demo_model.recipes import RECIPES
from tools.demo_model.tokenizer import question
from tools.demo_model.train import Trained, right, texts, train

TEXTS = (
    "How do I reach the bot in a group?",
    "群里怎么用机器人？Feishu 和 Telegram 都行吗",
    "it's  two   blanks\n\nand /help, 3.14 (x) don't",
    "表情 🙂 和生僻字 龘",
    "\ttabs, trailing blanks   ",
)


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    return load(write(tmp_path_factory.mktemp("data"), group(), why()))


@pytest.fixture(scope="module")
def trained(knowledge: Knowledge) -> Trained:
    recipe = replace(
        RECIPES["demo-v2"], steps=120, rows=2, width=128, layers=2, feed_forward=128, dropout=0.0,
        average=0.9, mix=Mix(short_answers=0.0, strength=NONE, history=0.3),
    )  # fmt: skip
    return train(knowledge, recipe, minutes=2, say=lambda _: None)


@pytest.fixture(scope="module")
def wide(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "small-f16.gguf"
    write_f16(path, "small", trained.shape, trained.weights, trained.words, "A test.")
    assert [p.name for p in path.parent.iterdir()] == ["small-f16.gguf"]
    return path


@pytest.fixture(scope="module")
def model(wide: Path) -> Iterator[Model]:
    system = [Turn("system", DEFAULT_SYSTEM_PROMPT)]
    loaded = Model(wide, context_tokens=512, threads=1, parallel=1, system=system)
    yield loaded
    loaded.close()


def test_llama_cpp_splits_text_into_the_same_tokens(
    model: Model, trained: Trained, knowledge: Knowledge
) -> None:
    asked = [m["content"] for one in questions(knowledge) for m in one.messages]
    for text in (*TEXTS, *asked, *knowledge.answers().values()):
        prompt = question(text)
        assert trained.words.encode(prompt) == model.tokenize(prompt, add_bos=False), text


def test_a_chinese_character_is_one_token(trained: Trained) -> None:
    assert [trained.words.decode([token]) for token in trained.words.encode("群里怎么用")] == list(
        "群里怎么用"
    )


@pytest.mark.parametrize("system", [[], [Turn("system", DEFAULT_SYSTEM_PROMPT)]])
def test_prompts_are_those_of_the_assistant(model: Model, trained: Trained, system: list[Turn]) -> None:
    asked = Turn("user", "为什么？")
    before = [Turn("user", "hello"), Turn("assistant", "你好")]
    words = trained.words
    assert model.prompt([*system, asked], 16) == words.encode(question("为什么？"))
    one_before = words.encode(question("为什么？", ("hello", "你好")))
    assert model.prompt([*system, *before, asked], 16) == one_before
    older = [Turn("user", "older"), Turn("assistant", "turn")]
    assert model.prompt([*system, *older, *before, asked], 16) == one_before


def _native_logits(model: Model, tokens: list[int]) -> Any:
    binding: Any = model._binding
    context = Context(binding, model._handle, cells=256, sequences=1, batch_tokens=256, threads=1)
    (row,) = context.decode([Chunk(0, 0, tokens, True)])
    size = int(binding.llama_vocab_n_tokens(model._vocabulary))
    found = np.ctypeslib.as_array(binding.llama_get_logits_ith(context.handle, row), shape=(size,)).copy()
    context.close()
    return found


def test_llama_cpp_computes_the_same_numbers(model: Model, trained: Trained) -> None:
    halves = {
        name: jnp.asarray(np.asarray(w, np.float16), jnp.float32) if w.ndim > 1 else w
        for name, w in trained.weights.items()
    }
    for text in TEXTS[:3]:
        tokens = trained.words.encode(question(text))
        positions = np.arange(len(tokens))[None]
        outputs = forward(halves, trained.shape, np.array([tokens]), np.ones_like(positions), positions)
        ours, theirs = np.asarray(logits(halves, outputs))[0, -1], _native_logits(model, tokens)
        # llama.cpp rounds inputs of f16 matrices to 16 bits as well.
        assert np.abs(ours - theirs).max() < 0.02 * np.abs(ours).max()
        assert np.corrcoef(ours, theirs)[0, 1] > 0.9999


def test_it_learns_its_answers_and_one_pass_tells_what_greedy_decoding_says(
    model: Model, trained: Trained, knowledge: Knowledge
) -> None:
    templates, _ = split(knowledge, most=0, hold_back=False, seed=1)
    found = right(trained.shape, trained.weights, trained.words, knowledge, templates)
    assert all(found["group-mention", "en"])
    tokens = trained.words.encode(question("how do I use you in a group chat"))
    answer: list[int] = []
    while len(answer) < 40:
        answer.append(int(_native_logits(model, [*tokens, *answer]).argmax()))
        if model.is_end(answer[-1]):
            break
    assert trained.words.decode(answer[:-1]) == "Mention me by my name."


def test_four_bits_are_at_most_three_tenths(trained: Trained, wide: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.gguf"
    quantize(wide, small, "Q4_0", pure=True)
    parameters = sum(int(w.size) for w in trained.weights.values()) * 2
    texts_and_header = wide.stat().st_size - parameters
    assert small.stat().st_size - texts_and_header < 0.3 * parameters


def test_segments_of_a_row_do_not_see_each_other(trained: Trained) -> None:
    words = trained.words
    one, other = (Example(words.encode(question(text)), 4) for text in TEXTS[:2])
    together, alone = pack([[one, other]], 0.0), pack([[other]], 0.0)
    both = forward(trained.weights, trained.shape, together.tokens, together.segments, together.positions)
    single = forward(trained.weights, trained.shape, alone.tokens, alone.segments, alone.positions)
    start, length = len(one.tokens), len(other.tokens)
    np.testing.assert_allclose(both[0, start : start + length], single[0, :length], atol=1e-4)


def test_answers_count_whole_and_questions_as_there_is_room(trained: Trained) -> None:
    words = trained.words
    prompt = words.encode(question("stop"))
    example = Example([*prompt, words.intent("group-mention"), 5, 6, words.end], len(prompt))
    batch = pack([[example]], 0.1, 3.0)
    answer = [words.intent("group-mention"), 5, 6, words.end]
    assert list(batch.targets[0][:4]) == answer
    assert list(batch.weights[0][:4]) == [3.0, 1.0, 1.0, 1.0]
    asked = len(prompt) - 1
    assert list(batch.targets[0][4 : 4 + asked]) == prompt[1:]
    assert batch.weights[0][4:].sum() == pytest.approx(0.1 * asked)
    # Each target is the token after the place it is predicted from.
    tokens = batch.tokens[0]
    counted = batch.counted[0][: 4 + asked]
    assert list(tokens[counted + 1]) == list(batch.targets[0][: 4 + asked])
    assert pack([[example]], 0.0).weights[0][4:].sum() == 0


def test_a_full_row_learns_from_all_answers_and_some_of_the_questions(trained: Trained) -> None:
    words = trained.words
    example = Example([*range(40), words.intent("group-mention"), *range(20)], 40)
    batch = pack([[example] * 4], 0.5, 1.0)
    assert (batch.weights[0][: 4 * 21] == 1.0).all()
    room = ROW_COUNTED - 4 * 21
    assert batch.weights[0][4 * 21 :] == pytest.approx([0.5 * 4 * 39 / room] * room)


def test_an_answer_begins_with_a_token_of_its_intent_that_is_never_shown(
    model: Model, trained: Trained
) -> None:
    token = trained.words.intent("group-mention")
    assert model.piece(token) == b""
    assert trained.words.decode([token]) == ""
    with pytest.raises(KeyError):
        trained.words.intent("no-such-intent")


def test_the_same_seed_gives_the_same_examples(knowledge: Knowledge, trained: Trained) -> None:
    templates, _ = split(knowledge, most=0, hold_back=False, seed=1)

    def batch() -> list[int]:
        return next(Examples(knowledge, templates, trained.words, Mix(), 5).batches(3)).tokens.tolist()

    assert batch() == batch()


def test_held_out_templates_are_never_learned(knowledge: Knowledge) -> None:
    learned, back = split(knowledge, most=0, hold_back=True, seed=1)
    seen = json.dumps([list(learned.values()), list(back.values()), list(texts(knowledge, learned))])
    for intent in knowledge.intents.values():
        for several in intent.held_out.values():
            assert not any(json.dumps(template) in seen for template in several)
    assert len(back["group-mention", "en"]) == 1
    assert set(back["group-mention", "en"]).isdisjoint(learned["group-mention", "en"])
    few, _ = split(knowledge, most=1, hold_back=False, seed=1)
    assert len(few["group-mention", "zh"]) == 1
