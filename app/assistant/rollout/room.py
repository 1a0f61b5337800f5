"""Putting the room together from the settings."""

from assistant.inference.backend import Options
from assistant.inference.remote.backend import RemoteBackend
from assistant.operators import Operators
from assistant.rollout.arms import Arms
from assistant.rollout.candidate import Candidate
from assistant.rollout.keeper import Keeper
from assistant.settings import Settings
from assistant.store import Database
from assistant.store.rollout_answers import RolloutAnswers
from assistant.store.rollouts import Rollouts

TOKEN = "candidate_api_token"  # noqa: S105 - a file's name


class Room:
    """All parts of rollouts in one process: ``arms`` chooses, ``keeper`` sees to the rest."""

    def __init__(self, settings: Settings, database: Database, options: Options) -> None:
        """Build them; nothing runs yet. ``options`` are how answers are made."""
        self.answers = RolloutAnswers(database)
        # Threads that may wait for a candidate, beside those that wait for the model.
        self.threads = max(2, settings.parallel)

        def candidate(url: str) -> RemoteBackend:
            # Read now: the file is made for each rollout, while this process runs.
            key = (settings.secrets_dir / TOKEN).read_text(encoding="ascii").strip()
            return RemoteBackend(
                url,
                model="",
                key=key,
                context_tokens=settings.context_tokens,
                parallel=self.threads,
                # And the keeper's trial question.
                limit=self.threads + 1,
                # It comes and goes with its rollout, and is no setting.
                advises=False,
            )

        self.arms = Arms(self.answers, Candidate(candidate, self.threads))
        operators = Operators(settings, database)

        def announce(english: str, chinese: str, key: str) -> None:
            operators.announce(english, chinese, key=key)

        self.keeper = Keeper(
            Rollouts(database),
            self.answers,
            self.arms,
            system_prompt=settings.system_prompt,
            options=options,
            state_file=settings.rollout_state_file,
            announce=announce,
        )
