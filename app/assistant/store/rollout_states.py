"""The states of a rollout, and which may follow which."""

LOADING, RUNNING, PAUSED, PROMOTING = "loading", "running", "paused", "promoting"
PROMOTED, ROLLED_BACK, ABORTED = "promoted", "rolled_back", "aborted"
STATES = (LOADING, RUNNING, PAUSED, PROMOTING, PROMOTED, ROLLED_BACK, ABORTED)
# In these there is a candidate.
ACTIVE = frozenset({LOADING, RUNNING, PAUSED, PROMOTING})
ENDED = frozenset(STATES) - ACTIVE
# From which states one may come to each.
BEFORE: dict[str, frozenset[str]] = {
    RUNNING: frozenset({LOADING, PAUSED}),
    PAUSED: frozenset({RUNNING}),
    PROMOTING: frozenset({RUNNING, PAUSED}),
    PROMOTED: frozenset({PROMOTING}),
    ROLLED_BACK: ACTIVE,
    ABORTED: ACTIVE,
}
