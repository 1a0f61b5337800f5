"""The keeper: sees to it that a rollout goes on, is judged, is told of, and ends.

Each process follows the rollout in the database; the one that holds its lease looks at the candidate, moves
the clock and judges.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from assistant.inference.backend import InferenceError, Options, Stopping
from assistant.logs import Log
from assistant.loops import Background, Loop, Loops
from assistant.messages import Turn
from assistant.rollout import reasons
from assistant.rollout.arms import Arms
from assistant.rollout.evidence import read_evidence
from assistant.rollout.health import Probe
from assistant.rollout.judge import CONTINUE, HOUR, Evidence, Health, Verdict, alarm, judge
from assistant.rollout.reasons import Reason
from assistant.rollout.rules import Rules, rules_of
from assistant.rollout.state_file import StateFile
from assistant.store.rollout_answers import RolloutAnswers
from assistant.store.rollout_states import (
    ACTIVE,
    LOADING,
    PAUSED,
    PROMOTING,
    ROLLED_BACK,
    RUNNING,
)
from assistant.store.rollouts import Rollout, Rollouts, Step, step

log = Log(__name__)
LOOK_SECONDS = 1.0
LEASE_SECONDS = 9.0
RENEW_SECONDS = 3.0
TRIAL = "Hello, 你好!"
TRIES = 3
# Below so many answers stable's p99 says too little to cut the candidate's time by it.
ENOUGH_ANSWERS = 20


class Keeper(Background):
    """Looks every second."""

    # It may be in the middle of a trial question.
    stop_seconds = 10.0

    def __init__(
        self,
        rollouts: Rollouts,
        answers: RolloutAnswers,
        arms: Arms,
        *,
        system_prompt: str,
        options: Options,
        state_file: str = "",
        announce: Callable[[str, str, str], None] = lambda english, chinese, key: None,
        probe: Callable[[str], Probe] = Probe,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the newest of ``rollouts``.

        Args:
            rollouts: where they are.
            answers: what was answered in them.
            arms: are told of each change.
            system_prompt: of the trial question.
            options: how answers are made.
            state_file: for the host's agent; empty is none.
            announce: tells the operators something in English and in Chinese, once a key.
            probe: makes what looks at a candidate.
            clock: seconds that only rise.
        """
        self._rollouts, self._answers, self._arms = rollouts, answers, arms
        self._turns = (Turn("system", system_prompt), Turn("user", TRIAL))
        self._options, self._announce, self._make_probe, self._clock = options, announce, probe, clock
        self._file = StateFile(state_file)
        self._name = secrets.token_hex(8)
        self._probe: Probe | None = None
        self._probed = 0
        self._held_until = self._renew_at = self._next_tick = 0.0
        self._held_elsewhere = False
        self._tries = 0
        self._complained = False
        self._told: tuple[int, str, str] | None = None
        self.newest: Rollout | None = None
        self._loops = Loops([Loop("rollout", self.step, idle_seconds=LOOK_SECONDS)])

    def begin(self) -> None:
        """Follow the rollout before the first message comes."""
        self._follow()

    def step(self) -> bool:
        """Look once; False: there is no more to do."""
        newest = self._follow()
        if newest is None:
            return False
        if newest.active and self._holds(newest) and self._clock() >= self._next_tick:
            self._next_tick = self._clock() + rules_of(newest.rules).tick_seconds
            self._tick(newest)
            newest = self._follow() or newest
        self._tell(newest)
        return False

    def stop(self) -> None:
        """Stop the thread, and what the candidate is generating."""
        self._arms.candidate.close()
        super().stop()
        # A step that was under way may have opened it again.
        self._arms.candidate.close()

    def _follow(self) -> Rollout | None:
        """Take over what the database says."""
        self.newest = newest = self._rollouts.newest()
        if newest is None or not newest.active:
            self._arms.follow(newest)
            self._arms.candidate.close()
            if self._probe is not None:
                self._probe.close()
            self._probe, self._probed = None, 0
        else:
            if self._probe is None or self._probed != newest.number:
                self._probe, self._probed, self._tries = self._make_probe(newest.url), newest.number, 0
                self._next_tick = 0.0
            try:
                self._arms.candidate.open(newest.number, newest.url, rules_of(newest.rules).share)
                self._complained = False
            except (OSError, ValueError) as error:
                if not self._complained:
                    log.error(
                        "candidate_api_token: the candidate's token cannot be read; the stable model "
                        "answers everybody",
                        error=type(error).__name__,
                    )
                self._complained = True
            self._arms.follow(newest)
        self._file.show(newest)
        return newest

    def _holds(self, newest: Rollout) -> bool:
        now = self._clock()
        if now >= self._renew_at:
            held = self._rollouts.hold(newest.number, self._name, LEASE_SECONDS)
            if held:
                self._held_until = now + LEASE_SECONDS
                if self._held_elsewhere and self._probe is not None:
                    self._probe.take_over()
            self._held_elsewhere = not held
            self._renew_at = now + RENEW_SECONDS
        return now < self._held_until

    def _tick(self, newest: Rollout) -> None:
        rules, probe = rules_of(newest.rules), self._probe
        self._rollouts.tick(newest.number)
        if probe is None or newest.state not in ACTIVE:
            return
        if newest.state == PROMOTING:
            self._look_after_promotion(newest, rules)
            return
        probe.look()
        if newest.state == LOADING:
            self._load(newest, rules, probe)
        elif newest.state in {RUNNING, PAUSED}:
            self._judge(newest.number, rules, probe.health(rules))

    def _judge(self, number: int, rules: Rules, health: Health) -> None:
        newest = self._rollouts.newest()
        if newest is None or newest.number != number or newest.state not in {RUNNING, PAUSED}:
            return
        evidence = read_evidence(self._answers, number, rules)
        self._arms.slow_seconds = _slow_seconds(evidence, rules)
        verdict = self._verdict(newest, evidence, rules, health)
        reason = verdict.reason
        if reason is None:
            return
        if verdict.action == "rollback":
            self._rollouts.move(number, _step(ROLLED_BACK, reason))
        elif verdict.action == "promote":
            self._rollouts.move(number, _step(PROMOTING, reason), only_from=(RUNNING,))
        else:
            due = newest.due_hours
            while due * HOUR <= newest.elapsed:
                due += rules.extend_hours
            self._rollouts.note(number, _step(newest.state, reason), min(due, rules.max_hours))

    def _verdict(self, newest: Rollout, evidence: Evidence, rules: Rules, health: Health) -> Verdict:
        due = newest.now - newest.judged_at >= rules.judge_seconds
        if newest.state != RUNNING or not due:
            # Alarms cannot wait, and a pause leaves the candidate the dialogues that it has begun.
            reason = alarm(evidence, health, rules)
            return CONTINUE if reason is None else Verdict("rollback", reason)
        self._rollouts.judged(newest.number)
        return judge(evidence, health, rules, elapsed_seconds=newest.elapsed, due_hours=newest.due_hours)

    def _load(self, newest: Rollout, rules: Rules, probe: Probe) -> None:
        reason: Reason | None = None
        if probe.ready:
            reason = alarm(Evidence.nothing(), probe.health(rules), rules)
            if reason is None and self._arms.candidate.usable:
                reason = self._trial(rules)
        if reason is None and newest.now - newest.created_at >= rules.load_seconds:
            reason = reasons.not_loaded(rules.load_seconds)
        if reason is not None:
            state = RUNNING if reason is reasons.LOADED else ROLLED_BACK
            self._rollouts.move(newest.number, _step(state, reason), only_from=(LOADING,))

    def _trial(self, rules: Rules) -> Reason | None:
        """Ask the candidate something; returns what came of it, None where it is to be tried again."""
        began, seconds = time.monotonic(), rules.trial_seconds
        try:
            found = self._arms.candidate.generate(
                self._turns, replace(self._options, deadline_seconds=seconds)
            )
        except Stopping:
            return None
        except InferenceError as error:
            if time.monotonic() - began >= seconds:
                return reasons.trial_slow(seconds)
            self._tries += 1
            log.warning("the candidate's trial failed", reason=error.kind, attempt=self._tries)
            return reasons.trial_failed(error.kind) if self._tries >= TRIES else None
        if not found.text.strip():
            return reasons.TRIAL_EMPTY
        return reasons.LOADED if time.monotonic() - began < seconds else reasons.trial_slow(seconds)

    def _look_after_promotion(self, newest: Rollout, rules: Rules) -> None:
        if newest.now - newest.since >= rules.promotion_seconds:
            self._rollouts.note(newest.number, _step(PROMOTING, reasons.PROMOTION_HANGS))

    def _tell(self, newest: Rollout) -> None:
        """Announce and log what happened; once, whichever process does it."""
        seen = (newest.number, newest.state, newest.reason)
        if seen == self._told or not self._holds(newest):
            return
        for one in self._rollouts.unannounced():
            english, chinese = _words(newest, one)
            self._announce(english, chinese, f"rollout-{one.rollout}-{one.number}")
            self._rollouts.announced(one.number)
            log.info(
                "a rollout's step",
                rollout=one.rollout,
                candidate=newest.candidate,
                state=one.state,
                reason=one.reason,
            )
        self._told = seen


def _slow_seconds(evidence: Evidence, rules: Rules) -> float:
    p99 = evidence.stable.p99
    if p99 is None or evidence.stable.answers < ENOUGH_ANSWERS:
        return 0.0
    return rules.slow_factor * p99 + rules.slow_seconds


def _step(state: str, reason: Reason) -> Step:
    return step(state, reason.code, reason.english, reason.chinese)


def _words(newest: Rollout, one: Step) -> tuple[str, str]:
    name = newest.candidate if one.rollout == newest.number else ""
    state, condition = reasons.STATES[one.state]
    english = f"Rollout {one.rollout} {name}".strip() + f": {state}. {one.english}"
    return english, f"灰度发布 {one.rollout} {name}".strip() + f"：{condition}。{one.chinese}"
