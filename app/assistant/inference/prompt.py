"""Fitting a conversation into the model's context, and rendering it with the model's own template."""

from collections.abc import Callable, Iterable, Sequence, Sized
from typing import TypeVar

from assistant.messages import Turn

# What turns become: tokens, or anything else that knows how many they are.
Rendered = TypeVar("Rendered", bound=Sized)


class DoesNotFit(Exception):
    """Not even the system prompt and one word of the newest message fit."""


def without_control_texts(text: str, controls: Iterable[str]) -> str:
    """Remove the texts of control tokens from what a user wrote.

    A chat template is rendered to text and then split into tokens, so a user who writes ``<|im_end|>``
    could end their own turn and speak as the system. Removing may join two halves into a new one: repeat
    until nothing changes.
    """
    texts = [c for c in controls if c]
    while True:
        before = text
        for control in texts:
            text = text.replace(control, "")
        if text == before:
            return text


def fit(
    turns: Sequence[Turn], budget: int, render: Callable[[Sequence[Turn]], Rendered]
) -> tuple[Rendered, int]:
    """Render ``turns`` into at most ``budget`` tokens.

    The system turn and the newest turn stay; of the others the newest ones stay. A newest turn that is too
    long by itself is cut at its end.

    Returns:
        The rendered prompt, and how many turns it holds.

    Raises:
        DoesNotFit: the system turn leaves no room.
    """
    system = [t for t in turns[:1] if t.role == "system"]
    rest = list(turns[len(system) :])
    while True:
        # Templates that insist on alternating turns need a user's turn first.
        while len(rest) > 1 and rest[0].role != "user":
            rest.pop(0)
        tokens = render([*system, *rest])
        if len(tokens) <= budget:
            return tokens, len(system) + len(rest)
        if len(rest) <= 1:
            break
        rest.pop(0)
    newest = rest[0] if rest else Turn("user", "")
    low, high = 0, len(newest.content)
    best: Rendered | None = None
    while low <= high:
        middle = (low + high) // 2
        tokens = render([*system, Turn(newest.role, newest.content[:middle])])
        if len(tokens) <= budget:
            best, low = tokens, middle + 1
        else:
            high = middle - 1
    if best is None or low <= 1:
        raise DoesNotFit
    return best, len(system) + 1


def fold_system(turns: Sequence[Turn]) -> list[Turn]:
    """Put the system turn into the first user turn, for templates that know no system turn."""
    if len(turns) < 2 or turns[0].role != "system":
        return list(turns)
    first = Turn(turns[1].role, f"{turns[0].content}\n\n{turns[1].content}")
    return [first, *turns[2:]]
