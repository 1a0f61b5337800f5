"""Training: Muon and Adam over endless augmented examples, a cosine schedule, averaged weights."""

from __future__ import annotations

import functools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from tools.demo_model.batches import (
    ROW_COUNTED,
    ROW_TOKENS,
    Batch,
    Example,
    Examples,
    Templates,
    encode,
    pack,
    split,
)
from tools.demo_model.intents import LANGUAGES, OUT_OF_DOMAIN, Knowledge, expand
from tools.demo_model.network import Shape, Weights, forward, logits, new_weights
from tools.demo_model.recipes import Recipe
from tools.demo_model.tokenizer import Words, learn

T = TypeVar("T")
WARM_UP = 0.05  # share of the steps
CLIP = 1.0


@dataclass(frozen=True)
class Trained:
    """A trained model."""

    shape: Shape
    weights: Weights
    words: Words
    steps: int
    seconds: float


def texts(knowledge: Knowledge, templates: Templates) -> Iterator[str]:
    """Yield what the tokenizer learns from: every answer, and some texts of every template for training."""
    yield from knowledge.answers().values()
    for key in sorted(templates):
        for template in templates[key]:
            for number, text in enumerate(expand(template)):
                if number == 6:
                    break
                yield text
                yield f" {text}"


def train(
    knowledge: Knowledge,
    recipe: Recipe,
    *,
    minutes: float,
    hold_back: bool = False,
    say: Callable[[str], None] = print,
) -> Trained:
    """Train a model.

    Args:
        knowledge: questions and answers; what is held out stays unseen.
        recipe: sizes and steps.
        minutes: training ends by then; on a machine too slow for all steps the schedule is shortened.
        hold_back: keep one training template of each intent back, and measure with those on the way.
        say: is given lines of progress.
    """
    templates, back = split(knowledge, most=recipe.templates, hold_back=hold_back, seed=recipe.seed)
    words = learn(texts(knowledge, templates), knowledge.intents)
    shape = Shape(
        vocabulary=len(words.tokens),
        width=recipe.width,
        layers=recipe.layers,
        heads=recipe.heads,
        key_value_heads=recipe.key_value_heads,
        feed_forward=recipe.feed_forward,
    )
    weights = new_weights(shape, recipe.seed)
    average = weights
    optimizer = _optimizer(recipe, weights)
    state = optimizer.init(weights)
    step = jax.jit(functools.partial(_step, shape, recipe, optimizer), donate_argnums=(0, 1, 2))
    average = jax.tree.map(jnp.copy, weights)
    examples = Examples(knowledge, templates, words, recipe.mix, recipe.seed)
    key = jax.random.key(recipe.seed)
    say(f"{_count(weights) / 1e6:.2f} million weights, {len(words.tokens)} tokens, {recipe.steps} steps")
    begun = said = measured = time.monotonic()
    losses: list[Any] = []
    number, slow = 0, False
    for batch in _ahead(examples.batches(recipe.rows)):
        elapsed = time.monotonic() - begun
        done = number / recipe.steps
        if elapsed / (minutes * 60) > done and number > 20:
            # Too slow for the steps: the time decides how far the schedule is.
            projected = elapsed / number * recipe.steps
            if projected > minutes * 60:
                done, slow = elapsed / (minutes * 60), True
        if done >= 1:
            break
        weights, average, state, loss = step(
            weights, average, state, batch, jax.random.fold_in(key, number), _rate(recipe, done)
        )
        losses.append(loss)
        number += 1
        now = time.monotonic()
        if now - said >= 10 or number == recipe.steps:
            mean = float(np.mean([float(value) for value in losses]))
            losses, said = [], now
            say(f"step {number}, {done:.0%}, {now - begun:.0f} s, loss {mean:.3f}")
        if hold_back and now - measured > 60:
            say(f"  held back: {_line(right(shape, average, words, knowledge, back))}")
            measured = time.monotonic()
    if slow:
        say(f"this machine was too slow for {recipe.steps} steps in {minutes:g} minutes: {number} were done")
    if hold_back:
        say(f"held back, at the end: {_line(right(shape, average, words, knowledge, back))}")
    return Trained(shape, average, words, number, time.monotonic() - begun)


def _optimizer(recipe: Recipe, weights: Weights) -> Any:
    """Return Muon for the blocks' matrices, Adam for the rest; its updates are yet to be given a rate.

    Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/) needed half of Adam's steps here;
    scaled as in Liu et al., 2025, arXiv:2502.16982, one rate serves both.
    """

    def learner(name: str) -> str:
        return "muon" if name.startswith("blk.") and weights[name].ndim > 1 else "adam"

    muon = optax.contrib.muon(1.0, beta=0.95, consistent_rms=0.2)
    adam = optax.chain(optax.scale_by_adam(b1=0.9, b2=0.98), optax.scale(-1.0))
    return optax.chain(
        optax.clip_by_global_norm(CLIP),
        optax.transforms.partition({"muon": muon, "adam": adam}, {name: learner(name) for name in weights}),
        optax.add_decayed_weights(-recipe.weight_decay, {n: w.ndim > 1 for n, w in weights.items()}),
    )


def _rate(recipe: Recipe, done: float) -> float:
    if done < WARM_UP:
        return recipe.peak * (done + 0.002) / WARM_UP
    return recipe.peak * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * (done - WARM_UP) / (1 - WARM_UP)))))


def _step(
    shape: Shape, recipe: Recipe, optimizer: Any, weights: Weights, average: Weights, state: Any, batch: Any,
    key: Any, rate: Any,
) -> Any:  # fmt: skip
    loss, gradients = jax.value_and_grad(_loss)(weights, shape, batch, key, recipe.dropout)
    updates, state = optimizer.update(gradients, state, weights)
    weights = jax.tree.map(lambda weight, update: weight + rate * update, weights, updates)
    average = jax.tree.map(
        lambda old, new: recipe.average * old + (1 - recipe.average) * new, average, weights
    )
    return weights, average, state, loss


def _loss(weights: Weights, shape: Shape, batch: tuple[Any, ...], key: Any, dropout: float) -> Any:
    tokens, segments, positions, counted, targets, counts = batch
    outputs = forward(weights, shape, tokens, segments, positions, (key, dropout) if dropout else None)
    guesses = logits(weights, _at(outputs, counted))
    surprise = optax.softmax_cross_entropy_with_integer_labels(guesses, targets)
    return (surprise * counts).sum() / counts.sum()


def _at(outputs: Any, counted: Any) -> Any:
    return jnp.take_along_axis(outputs, counted[:, :, None], axis=1)


def _tuple(batch: Batch) -> tuple[Any, ...]:
    return batch.tokens, batch.segments, batch.positions, batch.counted, batch.targets, batch.weights


def _ahead(source: Iterator[Batch]) -> Iterator[tuple[Any, ...]]:
    """Make the next batches while the network works on one."""
    made: queue.Queue[tuple[Any, ...]] = queue.Queue(4)
    ended = threading.Event()

    def make() -> None:
        for batch in source:
            while not ended.is_set():
                try:
                    made.put(_tuple(batch), timeout=0.5)
                    break
                except queue.Full:
                    continue
            if ended.is_set():
                return

    thread = threading.Thread(target=make, name="examples", daemon=True)
    thread.start()
    try:
        while True:
            yield made.get()
    finally:
        ended.set()
        thread.join()


def right(
    shape: Shape, weights: Weights, words: Words, knowledge: Knowledge, templates: Templates
) -> dict[tuple[str, str], list[bool]]:
    """Tell by (intent, language) for each template's first text whether the greedy answer is the right one.

    Greedy decoding gives exactly the right answer if, and only if, each of its tokens is the likeliest one
    after those before it; so one pass over the whole answer is enough.
    """
    asked: list[tuple[tuple[str, str], Example]] = []
    for (name, language), several in templates.items():
        intent = knowledge.intents[name]
        before = knowledge.before(intent, language)
        for template in several:
            example = encode(words, next(expand(template)), name, intent.answers[language], before)
            if example.fits(ROW_TOKENS, ROW_COUNTED):
                asked.append(((name, language), example))
    found: dict[tuple[str, str], list[bool]] = {}
    look = _looker(shape)
    for start in range(0, len(asked), 16):
        group = asked[start : start + 16]
        rows = [[example] for _, example in group] + [[group[0][1]]] * (16 - len(group))
        batch = _tuple(pack(rows, 0.0))
        for (key, _), good in zip(group, np.asarray(look(weights, batch)), strict=False):
            found.setdefault(key, []).append(bool(good))
    return found


@functools.cache
def _looker(shape: Shape) -> Any:
    def look(weights: Weights, batch: tuple[Any, ...]) -> Any:
        tokens, segments, positions, counted, targets, counts = batch
        outputs = forward(weights, shape, tokens, segments, positions)
        likeliest = logits(weights, _at(outputs, counted)).argmax(-1)
        return ((likeliest == targets) | (counts == 0)).all(-1)

    return jax.jit(look)


def _line(found: dict[tuple[str, str], list[bool]]) -> str:
    shares = []
    for language in LANGUAGES:
        marks = [
            m
            for (n, lang), several in found.items()
            if lang == language and n != OUT_OF_DOMAIN
            for m in several
        ]
        shares.append(f"{language} {sum(marks)}/{len(marks)}")
    return ", ".join(shares)


def _count(weights: Weights) -> int:
    return sum(int(weight.size) for weight in weights.values())
