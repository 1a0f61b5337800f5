"""The tables. Times are seconds since 1970 (UTC), so that both databases compare them alike."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from assistant.store.encrypted import EncryptedJSON, EncryptedText

# SQLite counts upwards by itself only for INTEGER primary keys.
Id = BigInteger().with_variant(Integer(), "sqlite")
# A row is dead when it was given up, and discarded when an operator has decided to leave it at that.
PENDING, DONE, DEAD, DISCARDED = "pending", "done", "dead", "discarded"
# What is left of a deleted message while its platform may repeat it: the number alone.
FORGOTTEN = "forgotten"
# What an outbox row is for: the answer to a message, or word that it waits.
REPLY, NOTICE = "reply", "notice"


class Base(DeclarativeBase):
    """The common base of all tables."""


class Conversation(Base):
    """A chat on one platform; the lease on it keeps its messages in order."""

    __tablename__ = "conversations"
    __table_args__ = (UniqueConstraint("platform", "chat"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    platform: Mapped[str] = mapped_column(String(32))
    chat: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[float] = mapped_column(Float)
    lease_token: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[float] = mapped_column(Float, default=0.0)
    # What the person chose: en, zh, or empty for the language of each message.
    language: Mapped[str] = mapped_column(String(8), default="")
    # The model is told no turn up to this number: the person has begun anew.
    forgotten_turn: Mapped[int] = mapped_column(BigInteger, default=0)


class InboxRow(Base):
    """A message that was received; committed before the platform is told so."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("platform", "message_id"),
        Index("inbox_by_state", "state", "conversation_id", "id"),
        # The oldest that waits, and the oldest of a kind: found without looking at all that wait.
        Index("inbox_in_line", "state", "id"),
        Index("inbox_in_line_by_kind", "state", "kind", "id"),
        Index("inbox_by_conversation", "conversation_id", "id"),
        Index("inbox_by_sender", "platform", "sender", "received_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    platform: Mapped[str] = mapped_column(String(32))
    message_id: Mapped[str] = mapped_column(String(255))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    kind: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(EncryptedText("inbox.text"))
    reply_to: Mapped[str] = mapped_column(String(255))
    payload: Mapped[dict[str, Any]] = mapped_column(EncryptedJSON("inbox.payload"))
    state: Mapped[str] = mapped_column(String(16), default=PENDING)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    available_at: Mapped[float] = mapped_column(Float)
    received_at: Mapped[float] = mapped_column(Float)
    finished_at: Mapped[float | None] = mapped_column(Float)
    # The platform's id of the person who wrote, where it has one.
    sender: Mapped[str] = mapped_column(String(255), default="")
    # What the platform knows of the person's language: en, zh or nothing.
    language: Mapped[str] = mapped_column(String(8), default="")
    # The correlation id of what the log says about it.
    trace_id: Mapped[str] = mapped_column(String(32), default="")


class OutboxRow(Base):
    """A reply; one for each inbox row, with the key that lets a platform drop a repetition.

    Or a notice, at most one for each inbox row: the message waits longer than usual.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("inbox_id", "purpose", name="outbox_inbox_id_purpose"),
        Index("outbox_by_state", "state", "conversation_id", "id"),
        Index("outbox_in_line", "state", "platform", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id"))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    platform: Mapped[str] = mapped_column(String(32))
    chat: Mapped[str] = mapped_column(String(255))
    reply_to: Mapped[str] = mapped_column(String(255))
    text: Mapped[str] = mapped_column(EncryptedText("outbox.text"))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    idempotency_key: Mapped[str] = mapped_column(String(64))
    purpose: Mapped[str] = mapped_column(String(16), default=REPLY)
    parts_sent: Mapped[int] = mapped_column(Integer, default=0)
    state: Mapped[str] = mapped_column(String(16), default=PENDING)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    available_at: Mapped[float] = mapped_column(Float)
    lease_token: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[float] = mapped_column(Float, default=0.0)
    created_at: Mapped[float] = mapped_column(Float)
    sent_at: Mapped[float | None] = mapped_column(Float)
    # The message's.
    trace_id: Mapped[str] = mapped_column(String(32), default="")


class HistoryRow(Base):
    """A turn of a conversation that is finished: the user's or the assistant's."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("inbox_id", "role"),
        Index("messages_by_conversation", "conversation_id", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id"))
    role: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(EncryptedText("messages.content"))
    created_at: Mapped[float] = mapped_column(Float)


class Draft(Base):
    """A message on a platform that shows an unfinished answer, and takes the finished one in the end.

    The row is committed before the draft is opened, so that a platform that knows idempotency keys opens no
    second one after a kill; ``reference`` is empty until it is open.
    """

    __tablename__ = "drafts"

    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id"), primary_key=True, autoincrement=False)
    idempotency_key: Mapped[str] = mapped_column(String(64))
    reference: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[float] = mapped_column(Float)


class RatingRow(Base):
    """What one person thinks of one answer: ``score`` is 1 for good, -1 for bad."""

    __tablename__ = "ratings"
    __table_args__ = (UniqueConstraint("inbox_id", "sender"), Index("ratings_by_time", "created_at"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id"))
    platform: Mapped[str] = mapped_column(String(32))
    sender: Mapped[str] = mapped_column(String(255))
    score: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Float)


class Feedback(Base):
    """What a person wants to tell the operators (/feedback)."""

    __tablename__ = "feedback"

    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id"), primary_key=True, autoincrement=False)
    platform: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(EncryptedText("feedback.text"))
    created_at: Mapped[float] = mapped_column(Float)


class Switch(Base):
    """Something that an operator turns on or off while the service runs; absent is off."""

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    changed_at: Mapped[float] = mapped_column(Float)


class CachedHits(Base):
    """How often the answer to a message was given to API calls that leave no message themselves."""

    __tablename__ = "answer_cache_hits"

    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id"), primary_key=True, autoincrement=False)
    hits: Mapped[int] = mapped_column(BigInteger)


class PinnedAnswer(Base):
    """An operator's answer to a question, made by command; the words are the operator's, nobody else's."""

    __tablename__ = "pinned_answers"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    question: Mapped[str] = mapped_column(Text)
    # en, zh, or empty for any.
    language: Mapped[str] = mapped_column(String(8), default="")
    answer: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)


class PinnedHits(Base):
    """How often a pinned answer was given to API calls on a day; the words are the operator's own."""

    __tablename__ = "pinned_hits"

    # Days since 1970-01-01 UTC.
    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    # The question's SHA-256: a long one has no room in PostgreSQL's index.
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    question: Mapped[str] = mapped_column(Text)
    hits: Mapped[int] = mapped_column(BigInteger)


class ModelLoad(Base):
    """An attempt to load a model: loading, success or failure; see ``model_loads``."""

    __tablename__ = "model_load_attempts"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    model: Mapped[str] = mapped_column(String(255))
    result: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[float] = mapped_column(Float)
    lease_until: Mapped[float] = mapped_column(Float)
    ended_at: Mapped[float | None] = mapped_column(Float)


class ModelLoads(Base):
    """How often a model was loaded; apart from the attempts, whose deletion must not lower a counter."""

    __tablename__ = "model_loads"

    model: Mapped[str] = mapped_column(String(255), primary_key=True)
    successes: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[float] = mapped_column(Float)


class RolloutRow(Base):
    """A new model on its way to the people; the newest row counts. See ``rollout`` for its states."""

    __tablename__ = "rollouts"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    candidate: Mapped[str] = mapped_column(String(255))
    stable: Mapped[str] = mapped_column(String(255))
    url: Mapped[str] = mapped_column(String(512))
    state: Mapped[str] = mapped_column(String(16))
    # A code; the words about it are in the rollout's events.
    reason: Mapped[str] = mapped_column(String(64), default="")
    rules: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Of the keyed hash that shares out the conversations: another one in each rollout.
    key: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[float] = mapped_column(Float)
    started_at: Mapped[float | None] = mapped_column(Float)
    since: Mapped[float] = mapped_column(Float)
    # The clock: seconds in which it ran, as of ``ticked_at``.
    elapsed: Mapped[float] = mapped_column(Float, default=0.0)
    ticked_at: Mapped[float] = mapped_column(Float)
    judged_at: Mapped[float] = mapped_column(Float, default=0.0)
    due_hours: Mapped[float] = mapped_column(Float)
    # Which process keeps it, and until when it does.
    keeper: Mapped[str] = mapped_column(String(64), default="")
    keeper_until: Mapped[float] = mapped_column(Float, default=0.0)


class RolloutEvent(Base):
    """A step of a rollout, in both languages; kept for the operators, and announced once."""

    __tablename__ = "rollout_events"
    __table_args__ = (Index("rollout_events_by_rollout", "rollout_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(64))
    english: Mapped[str] = mapped_column(Text)
    chinese: Mapped[str] = mapped_column(Text)
    announced: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[float] = mapped_column(Float)


class RolloutAnswer(Base):
    """What one model made of one message in a rollout; no text, and deleted with the message.

    ``counted`` is 1 where it counts for the comparison: the rollout ran, and chance chose the model.
    """

    __tablename__ = "rollout_answers"
    __table_args__ = (
        Index("rollout_answers_by_arm", "rollout_id", "arm", "id"),
        Index("rollout_answers_by_inbox", "inbox_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"))
    inbox_id: Mapped[int] = mapped_column(BigInteger)
    arm: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(64), default="")
    seconds: Mapped[float] = mapped_column(Float)
    first_token_seconds: Mapped[float | None] = mapped_column(Float)
    counted: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Float)


class DeadLetter(Base):
    """Something that was given up, for an operator to see; ``reason`` is a type, never a text of a user."""

    __tablename__ = "dead_letters"
    __table_args__ = (UniqueConstraint("source", "source_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    source: Mapped[str] = mapped_column(String(16))
    source_id: Mapped[int] = mapped_column(BigInteger)
    platform: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[float] = mapped_column(Float)


class Cursor(Base):
    """How far a stream was read (Telegram's polling offset)."""

    __tablename__ = "cursors"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class EncryptionCheck(Base):
    """A key that has encrypted something here: its name, and a text that only the key itself opens."""

    __tablename__ = "encryption_check"

    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)
