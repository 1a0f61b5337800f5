"""Loads of the model: what is counted when a process ends well, ends badly, or just ends."""

from assistant.store.model_loads import ATTEMPTS, DIED, LEASE_SECONDS, MODELS, Loads, counts, failures
from assistant.store.models import ModelLoad
from tests.unit.app.conftest import Store


def attempt(store: Store, model: str = "one") -> Loads:
    loads = Loads(store.database, model)
    loads.begin()
    return loads


def test_both_ends_are_counted(store: Store) -> None:
    attempt(store).succeed()
    attempt(store).fail("ValueError")
    attempt(store, "two").succeed()
    assert counts(store.database) == {"one": (1, 1), "two": (1, 0)}
    (failure,) = failures(store.database, 5)
    assert (failure.model, failure.reason, failure.began_at) == ("one", "ValueError", store.clock.now)


def test_a_counter_is_there_while_the_first_load_runs(store: Store) -> None:
    attempt(store)
    assert counts(store.database) == {"one": (0, 0)}
    assert not failures(store.database, 5)


def test_a_process_that_died_while_loading_is_a_failure(store: Store) -> None:
    attempt(store)
    store.clock.now += LEASE_SECONDS + 1
    assert counts(store.database) == {"one": (0, 1)}, "before anybody has written it down"
    assert failures(store.database, 5)[0].reason == DIED
    attempt(store).succeed()
    assert counts(store.database) == {"one": (1, 1)}, "and once only"


def test_a_slow_load_that_holds_its_lease_has_not_failed(store: Store) -> None:
    slow = attempt(store)
    for _ in range(5):
        store.clock.now += LEASE_SECONDS * 0.9
        slow.hold()
    assert counts(store.database) == {"one": (0, 0)}
    slow.succeed()
    assert counts(store.database) == {"one": (1, 0)}


def test_another_host_that_loads_at_the_same_time_is_left_alone(store: Store) -> None:
    other = attempt(store)
    attempt(store).succeed()
    other.succeed()
    assert counts(store.database) == {"one": (2, 0)}


def test_a_process_that_is_told_to_stop_has_not_failed(store: Store) -> None:
    attempt(store).withdraw()
    store.clock.now += LEASE_SECONDS + 1
    assert counts(store.database) == {"one": (0, 0)}
    done = attempt(store)
    done.succeed()
    done.withdraw()
    assert counts(store.database) == {"one": (1, 0)}, "what has ended is not withdrawn"


def test_no_more_models_and_attempts_are_kept_than_there_is_use_for(store: Store) -> None:
    for number in range(MODELS + 5):
        store.clock.now += 1
        attempt(store, f"model-{number}").succeed()
    assert set(counts(store.database)) == {f"model-{number}" for number in range(5, MODELS + 5)}
    for _ in range(ATTEMPTS + 5):
        attempt(store).fail("MemoryError")
    with store.database.read() as session:
        # And the one that was ended after the last look.
        assert session.query(ModelLoad).count() <= ATTEMPTS + 1
    assert counts(store.database)["one"] == (0, ATTEMPTS + 5), "what is deleted stays counted"


def test_a_long_reason_is_cut(store: Store) -> None:
    attempt(store).fail("x" * 200)
    assert failures(store.database, 1)[0].reason == "x" * 64
