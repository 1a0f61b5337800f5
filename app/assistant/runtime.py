"""Building all parts from the settings, starting them and stopping them."""

import time
from dataclasses import replace

from flask import Blueprint, Flask
from sqlalchemy.exc import SQLAlchemyError

from assistant import correlation
from assistant.admission import Admission, Rules
from assistant.answers.calls import Calls
from assistant.answers.keeper import AnswerKeeper
from assistant.answers.made import make_answers
from assistant.channels import api, feishu, telegram
from assistant.channels.api.routes import blueprint as api_blueprint
from assistant.channels.base import Intake, Rating
from assistant.channels.feishu.channel import FeishuChannel, FeishuLongConnection
from assistant.channels.feishu.client import FeishuClient
from assistant.channels.feishu.gate import Gate
from assistant.channels.telegram.channel import TelegramChannel, TelegramPolling
from assistant.channels.telegram.client import TelegramClient
from assistant.channels.web_chat.routes import blueprint as web_chat_blueprint
from assistant.closing import Closing
from assistant.commands import Commands
from assistant.gauges import Gauges, Sources
from assistant.housekeeper import Housekeeper
from assistant.inference.backend import Options
from assistant.inference.choice import make_backend
from assistant.inference.host import container_memory
from assistant.live import Live
from assistant.load_record import LoadRecord
from assistant.logs import Log, said
from assistant.messages import Incoming, Kind
from assistant.metrics import Metrics, labels
from assistant.metrics.arrivals import committed
from assistant.metrics.labels import channel_of
from assistant.notifier import Notifier
from assistant.progress import Progress
from assistant.rollout.room import Room
from assistant.sender import Sender
from assistant.settings import Settings
from assistant.store import Database, Inbox, Outbox, Retention, migrate
from assistant.store.drafts import Drafts
from assistant.store.figures import read_figures
from assistant.store.known_answers import KnownAnswers
from assistant.store.model_loads import Loads, counts
from assistant.store.notices import Notices
from assistant.store.outbox import ARM, CACHED, Reply
from assistant.store.people import People
from assistant.store.ratings import Ratings
from assistant.store.switches import Switches
from assistant.streamer import Streamer
from assistant.texts import clean
from assistant.web import health, openapi
from assistant.web.factory import make_app
from assistant.worker import Worker

log = Log(__name__)
DATABASE_PATIENCE_SECONDS = 60.0
# Threads that wait for the model beyond its slots: one that becomes free has its next question at once.
NEXT_IN_LINE = 2
# Threads that answer commands while all others wait for the model.
SPARE_WORKERS = 2


class Runtime:
    """All parts of one process."""

    def __init__(self, settings: Settings) -> None:
        """Build the parts; nothing runs yet and nothing is opened."""
        self.settings = settings
        self.metrics = Metrics()
        self.database = Database(settings.database_url, settings.keyring)
        self.inbox = Inbox(self.database, settings.lease_seconds)
        self.outbox = Outbox(self.database, settings.lease_seconds * 3)
        thinking = settings.parallel + NEXT_IN_LINE
        self.loads = LoadRecord(Loads(self.database, settings.model_name))
        options = Options(settings.max_tokens, settings.temperature, float(settings.request_deadline_seconds))
        self.rollout = Room(settings, self.database, options)
        # Whom a candidate leaves without an answer comes to the model beside the others.
        self.backend = make_backend(settings, limit=thinking + self.rollout.threads, record=self.loads)
        self.progress, self.live, self.closing = Progress(), Live(), Closing()
        self.answers = make_answers(settings, options, self.backend, self.inbox.is_kept)
        self.ratings, people = Ratings(self.database), People(self.database)
        self.channels = self._channels()
        rules = Rules(
            settings.allowed, settings.admins, settings.messages_per_minute, settings.messages_per_day
        )
        admission = Admission(rules, people, Switches(self.database))
        commands = Commands(
            admission,
            people,
            self.ratings,
            self.outbox,
            platforms=lambda: list(self.channels),
            model=settings.model_name,
            ready=lambda: self.backend.ready,
        )
        self.worker = Worker(
            self.inbox,
            self.backend,
            self.metrics,
            options=options,
            system_prompt=settings.system_prompt,
            heartbeat_seconds=settings.lease_seconds / 4,
            push=self.channels,
            admission=admission,
            commands=commands,
            threads=thinking + self.rollout.threads + SPARE_WORKERS,
            model_threads=thinking,
            context_seconds=settings.context_hours * 3600.0,
            progress=self.progress,
            live=self.live,
            answers=self.answers,
            arms=self.rollout.arms,
            rollout_answers=self.rollout.answers,
        )
        clients = {name: c.client for name, c in self.channels.items()}
        self.sender = Sender(self.outbox, clients, self.metrics)
        self.streamer = Streamer(self.live, Drafts(self.database), clients)
        self.notifier = Notifier(
            Notices(self.database),
            list(clients),
            ready=lambda: self.backend.ready,
            on_notice=self.sender.wake,
            seconds=float(settings.notice_seconds),
        )
        self.housekeeper = Housekeeper(Retention(self.database, settings.retention_days), self.metrics)
        self.answer_keeper = AnswerKeeper(self.answers, KnownAnswers(self.database))
        self.worker.on_reply = self.sender.wake
        self.worker.settle_drafts_with(self.streamer.settle)
        self.backend.heed(self.worker.expecting)
        self.gauges = Gauges(self._sources())
        self.metrics.registry.register(self.gauges)

    def _channels(self) -> dict[str, FeishuChannel | TelegramChannel]:
        settings, secrets = self.settings, self.settings.secrets
        channels: dict[str, FeishuChannel | TelegramChannel] = {}
        if settings.feishu_enabled:
            channels[feishu.PLATFORM] = self._feishu()
        if settings.telegram_enabled:
            client = TelegramClient(settings.telegram_base_url, secrets.get("telegram_bot_token"))
            if settings.telegram_mode == "polling":
                channels[telegram.PLATFORM] = TelegramPolling(
                    client, self.accept, self.inbox.cursor, self.inbox.set_cursor
                )
            else:
                channels[telegram.PLATFORM] = TelegramChannel(
                    client,
                    settings.telegram_webhook_path,
                    secrets.get("telegram_secret_token"),
                    settings.public_url,
                )
        return channels

    def _feishu(self) -> FeishuChannel:
        settings, secrets = self.settings, self.settings.secrets
        client = FeishuClient(
            settings.feishu_base_url, settings.feishu_app_id, secrets.get("feishu_app_secret")
        )
        if settings.feishu_mode == "long_connection":
            return FeishuLongConnection(client)
        return FeishuChannel(
            client,
            Gate(
                secrets.get("feishu_verification_token"),
                secrets.get("feishu_encrypt_key"),
                settings.feishu_signature_scheme,
                settings.feishu_plain_events,
                settings.feishu_max_age_seconds,
            ),
        )

    def accept(self, message: Incoming, cursor: tuple[str, int] | None = None) -> int | None:
        """Commit ``message``, count it and wake the worker; None for a duplicate."""
        with correlation.following(correlation.current() or correlation.new_id()) as trace_id:
            return self._accept(replace(clean(message), trace_id=trace_id), cursor)

    def _accept(self, message: Incoming, cursor: tuple[str, int] | None) -> int | None:
        if message.kind is Kind.CHAT and not message.payload:
            asked = self.answers.of_message(message.platform, message.text, hint=message.language)
            if self.answers.may_know(asked):
                message = replace(message, kind=Kind.KNOWN)
        number = self.inbox.accept(message, cursor)
        if number is None:
            committed(new=False)
            log.info("duplicate", platform=message.platform)
            return None
        committed(new=True)
        log.info(
            "received",
            platform=message.platform,
            inbox_id=number,
            kind=message.kind.value,
            **said(message.text),
        )
        self.worker.wake(number, message.kind)
        return number

    def rate(self, rating: Rating) -> bool:
        """Store ``rating`` and count it; False when it rates nothing that was answered in its chat."""
        arm = self.ratings.rate(rating.platform, rating.chat, rating.number, rating.score, rating.sender)
        if arm:
            committed(new=True)
            score = labels.GOOD if rating.score > 0 else labels.BAD
            self.metrics.ratings.labels(channel_of(rating.platform), score, arm).inc()
            if rating.score < 0:
                self.answers.cache.drop(rating.number)
            log.info("rated", platform=rating.platform, inbox_id=rating.number, score=rating.score)
        return bool(arm)

    def app(self) -> Flask:
        """Return the HTTP application."""
        intake = Intake(self.accept, self.rate, self.metrics.arrival)
        blueprints: list[Blueprint] = [
            health.blueprint(self.alive, self.readiness, self.metrics.registry),
            openapi.blueprint(),
        ]
        for channel in self.channels.values():
            routes = channel.blueprint(intake)
            if routes is not None:
                blueprints.append(routes)
        if self.settings.web_chat_enabled:
            blueprints.append(
                web_chat_blueprint(
                    intake,
                    self.outbox,
                    self.live,
                    access_code=self.settings.web_chat_code,
                    streams=self.settings.web_chat_streams,
                    closing=self.closing,
                )
            )
        if self.settings.api_enabled:
            blueprints.append(
                api_blueprint(
                    intake,
                    self.outbox.reply_to,
                    self.progress,
                    token=self.settings.secrets.get("api_token"),
                    model=self.settings.model_name,
                    deadline_seconds=float(self.settings.request_deadline_seconds),
                    limit=self.settings.api_calls,
                    recall=Calls(
                        self.answers,
                        self.metrics,
                        followers=self.settings.api_followers,
                        deadline_seconds=float(self.settings.request_deadline_seconds),
                        closing=self.closing,
                        arm=self.rollout.arms.of_call,
                    ),
                    answered=self._answered_call,
                    closing=self.closing,
                )
            )
        return make_app(blueprints, self.metrics, self.settings.max_body_bytes, self.settings.proxy_networks)

    def migrate(self) -> None:
        """Bring the tables up to date; waits a while for a database that is not there yet.

        Raises:
            SQLAlchemyError: it still is not.
            WrongKeyError: it holds texts whose key is not there.
        """
        deadline = time.monotonic() + DATABASE_PATIENCE_SECONDS
        while True:
            try:
                return migrate(self.database)
            except SQLAlchemyError as error:
                if self.database.is_sqlite or time.monotonic() > deadline:
                    raise
                log.warning("the database is not ready yet", error=type(error).__name__)
                time.sleep(2)

    def start(self) -> None:
        """Start all threads; call it in the process that serves, after it was forked."""
        # Before the first message comes: the pins that were made by command.
        self.answer_keeper.step()
        self.rollout.keeper.begin()
        self.gauges.start()
        self.backend.start()
        self.worker.start()
        self.sender.start()
        self.streamer.start()
        self.notifier.start()
        self.housekeeper.start()
        self.answer_keeper.start()
        self.rollout.keeper.start()
        for channel in self.channels.values():
            channel.start()

    def stop(self) -> None:
        """Stop all threads: take nothing new, give back what is not finished, finish what is being sent."""
        # First: waiting for the others may take longer than the process is given.
        self.loads.stop()
        for channel in self.channels.values():
            if isinstance(channel, TelegramPolling):
                channel.stop()
        self.backend.stop()
        self.rollout.keeper.stop()
        self.worker.stop()
        self.streamer.stop()
        self.notifier.stop()
        self.sender.stop()
        self.housekeeper.stop()
        self.answer_keeper.stop()
        self.gauges.stop()
        for channel in self.channels.values():
            if not isinstance(channel, TelegramPolling):
                channel.stop()
        self.database.close()

    def alive(self) -> bool:
        """Whether all background threads run."""
        parts = (
            *(self.worker, self.sender, self.streamer, self.notifier, self.housekeeper),
            *(self.gauges, self.answer_keeper, self.rollout.keeper),
        )
        return all(part.alive for part in parts)

    def readiness(self) -> dict[str, bool]:
        """Return the parts that must be ready, by name."""
        try:
            self.database.ping()
            database = True
        except SQLAlchemyError:
            database = False
        return {"model": self.backend.ready, "database": database, "threads": self.alive()}

    def _answered_call(self, reply: Reply, seconds: float) -> None:
        arm = str(reply.detail.get(ARM, labels.STABLE))
        self.metrics.handed_over(api.PLATFORM, arm, seconds, cached=bool(reply.detail.get(CACHED)))

    def _sources(self) -> Sources:
        # Replies that are fetched wait for nobody.
        platforms = list(self.channels)
        remote = bool(self.settings.backend_url)
        return Sources(
            model=self.settings.model_name,
            ready=lambda: self.backend.ready,
            usage=lambda: self.backend.usage,
            figures=lambda: read_figures(self.database, platforms),
            # An endpoint elsewhere loads its model itself.
            loads=lambda: {} if remote else counts(self.database),
            memory=container_memory,
            rollout=lambda: self.rollout.keeper.newest,
        )
