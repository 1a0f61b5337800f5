"""Who the candidate answers: the share is kept, sticky, and another one under each key."""

import secrets

from assistant.rollout.share import goes_on, is_candidates, name_of_call, name_of_chat, position

CONVERSATIONS = [name_of_chat("feishu", f"oc_{number}") for number in range(10_000)]


def test_ten_percent_of_ten_thousand_conversations_are_ten_percent() -> None:
    # 1 point is 3.3 standard deviations of chance; the keys are fixed, and so is what comes out.
    keys = [f"{number:064x}" for number in range(40)]
    for key in keys:
        assert 900 <= sum(is_candidates(key, name, 0.1) for name in CONVERSATIONS) <= 1100


def test_a_conversation_keeps_its_place_and_a_larger_share_only_adds() -> None:
    key = secrets.token_hex(32)
    for name in CONVERSATIONS[:200]:
        assert position(key, name) == position(key, name)
        assert 0.0 <= position(key, name) < 1.0
        assert not is_candidates(key, name, 0.1) or is_candidates(key, name, 0.3)
        assert is_candidates(key, name, 1.0)


def test_two_rollouts_choose_independently() -> None:
    one, two = (f"{number:064x}" for number in (1, 2))
    both = sum(is_candidates(one, n, 0.1) and is_candidates(two, n, 0.1) for n in CONVERSATIONS)
    assert 50 <= both <= 150


def test_an_api_dialogue_has_one_name_through_all_its_calls() -> None:
    first = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "one"}]}
    later = {
        "messages": [
            *first["messages"],
            {"role": "assistant", "content": "x"},
            {"role": "user", "content": "two"},
        ]
    }
    assert name_of_call(first) == name_of_call(later)
    assert (goes_on(first), goes_on(later)) == (False, True)
    other = {"messages": [{"role": "user", "content": "another"}]}
    assert name_of_call(other) != name_of_call(first)
    # Who names a user has the same model in all dialogues of that user.
    assert name_of_call({**other, "user": "u"}) == name_of_call({**first, "user": "u"})
    assert name_of_call({**other, "user": "u"}) != name_of_call({**other, "user": "v"})
