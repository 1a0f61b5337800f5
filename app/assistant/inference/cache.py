"""Who owns which cells of the key-value cache.

Sequence 0 holds the system prompt for ever; the others share its cells. A conversation's sequence is kept
after its answer while there is room, so that its next message needs only what is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

SYSTEM = 0


class Memory(Protocol):
    """The cells themselves, by sequence number."""

    def truncate(self, sequence: int, length: int) -> bool:
        """Forget all from position ``length`` on; False where the model can only forget everything."""

    def share(self, source: int, target: int) -> None:
        """Let ``target``, which is empty, have all cells of ``source`` as well."""


@dataclass
class Slot:
    """A sequence; ``tokens`` are those in its cells, the first ``shared`` of them in the system's cells."""

    number: int
    key: str = ""
    tokens: list[int] = field(default_factory=list)
    shared: int = 0
    reserved: int = 0
    active: bool = False
    used_at: int = 0

    @property
    def cells(self) -> int:
        """How many cells are its own, or promised to it."""
        return max(self.reserved, len(self.tokens)) - self.shared


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens both begin with."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


class Cache:
    """Gives out sequences, with all the cells that a request may need reserved: none runs out half-way."""

    def __init__(self, memory: Memory, sequences: int, cells: int, system: Sequence[int]) -> None:
        """Manage ``sequences`` besides the system's, and ``cells`` in all; ``system`` is in sequence 0."""
        self._memory = memory
        self._cells = cells
        self._system = list(system)
        self._clock = 0
        self.slots = [Slot(n) for n in range(1, sequences + 1)]

    @property
    def cells(self) -> int:
        """How many cells are taken or promised, the system's among them."""
        return len(self._system) + sum(s.cells for s in self.slots)

    @property
    def size(self) -> int:
        """How many cells there are."""
        return self._cells

    @property
    def filled(self) -> int:
        """How many cells hold a token, the system's among them. On another thread it is about right."""
        return len(self._system) + sum(max(0, len(s.tokens) - s.shared) for s in self.slots)

    def acquire(self, key: str, prompt: Sequence[int], max_tokens: int) -> Slot | None:
        """Return a slot whose tokens are a beginning of ``prompt``; at least its last token is still missing.

        Args:
            key: the conversation, or empty.
            prompt: all tokens of the request.
            max_tokens: how many more may follow.

        Returns:
            The slot, or None while running requests leave too few sequences or cells.
        """
        slot, reuse = self._choose(key, prompt)
        if slot is None:
            return None
        system = len(self._system)
        if len(prompt) <= system or list(prompt[:system]) != self._system:
            system = 0
        fresh = reuse <= system
        shared = system if fresh else min(slot.shared, reuse)
        needed = len(prompt) + max_tokens - shared
        busy = sum(s.cells for s in self.slots if s.active)
        if len(self._system) + busy + needed > self._cells:
            return None
        slot.active = True
        if fresh or not self._memory.truncate(slot.number, reuse):
            self._clear(slot)
            if system:
                self._memory.share(SYSTEM, slot.number)
            slot.tokens, slot.shared = self._system[:system], system
        else:
            del slot.tokens[reuse:]
            slot.shared = shared
        slot.key, slot.reserved = key, len(prompt) + max_tokens
        idle = sorted((s for s in self.slots if not s.active and s.tokens), key=lambda s: s.used_at)
        while self.cells > self._cells and idle:
            self._clear(idle.pop(0))
        return slot

    def release(self, slot: Slot, *, keep: bool) -> None:
        """Take ``slot`` back; with ``keep`` its cells stay until somebody needs the room."""
        self._clock += 1
        slot.active, slot.reserved, slot.used_at = False, 0, self._clock
        if not keep:
            self._clear(slot)

    def evict(self) -> None:
        """Forget every conversation that nobody is answering."""
        for slot in self.slots:
            if not slot.active:
                self._clear(slot)

    def _choose(self, key: str, prompt: Sequence[int]) -> tuple[Slot | None, int]:
        idle = [s for s in self.slots if not s.active]
        own = [s for s in idle if key and s.key == key]
        # Calls without a conversation bring their whole history: what fits may be an earlier one of them.
        candidates = own or [s for s in idle if not s.key and s.tokens]
        found = [(common(s.tokens, prompt[:-1]), s.number, s) for s in candidates]
        reuse, _, slot = max(found, default=(0, 0, None))
        if slot is not None and (own or reuse > len(self._system)):
            return slot, reuse
        return min(idle, key=lambda s: (bool(s.tokens), s.used_at), default=None), 0

    def _clear(self, slot: Slot) -> None:
        self._memory.truncate(slot.number, 0)
        slot.key, slot.tokens, slot.shared, slot.reserved = "", [], 0, 0
