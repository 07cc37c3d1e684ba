"""The life cycle as a state machine: any actions in any order, against a plain reading of the contract."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from alerts.incident import Incident, incident_id
from alerts.incidents import Act, IncidentBook
from alerts.life_cycle import ACTIONS, RETURNS, STATUSES, Action, Status, after
from alerts.transitions import Change, RawTransition, Transition, publish
from flows import wire

FORWARD: tuple[Action, ...] = ("dispatch", "acknowledge", "arrive", "resolve", "verify", "close")


def test_the_words_are_those_of_the_wire() -> None:
    assert set(ACTIONS) == set(get_args(wire.Action))


@given(st.sampled_from(STATUSES), st.sampled_from(ACTIONS))
def test_every_action_keeps_to_the_contract(status: Status, action: Action) -> None:
    found = after(status, action)
    if status == "closed" and action != "reopen":
        assert found is None
    elif action in FORWARD:
        target = STATUSES[1 + FORWARD.index(action)]
        assert found == (None if STATUSES.index(target) < STATUSES.index(status) else target)
    else:
        assert found is not None
        backwards = STATUSES.index(found) < STATUSES.index(status)
        assert not backwards or action in RETURNS


def change(seq: int, level: int, previous: int, at: int) -> Transition:
    name: Change = (
        "raised" if seq == 1 else "escalated" if level > previous else "eased" if level else "cleared"
    )
    raw = RawTransition("gas.leak_lel_max", 0, 60_000, seq, name, level, previous, 12.0, 10.0, at, at)
    return publish(raw, "420106", "district", None, "5f3c")


class Life(RuleBasedStateMachine):
    """One incident between its alert and the people."""

    @initialize()
    def raise_it(self) -> None:
        self.now = 100_000
        self.book = IncidentBook()
        self.level, self.seq, self.status = 2, 1, "raised"
        self.name = incident_id(change(1, 2, 0, self.now).alert_id)
        self.done: list[str] = ["raised"]
        self.last: Incident = self.book.take([change(1, 2, 0, self.now)])[0]

    @rule(level=st.integers(0, 4), wait=st.integers(1, 90_000))
    def move(self, level: int, wait: int) -> None:
        if level == self.level or not self.level:
            return
        self.now += wait
        self.seq += 1
        one = change(self.seq, level, self.level, self.now)
        self.level = level
        (self.last,) = self.book.take([one])
        self.done.append(one.transition)

    @rule(action=st.sampled_from(ACTIONS), wait=st.integers(1, 90_000))
    def act(self, action: Action, wait: int) -> None:
        self.now += wait
        found = self.book.act(Act(self.name, action, "武昌消防", self.now))
        expected = after(self.status, action)  # type: ignore[arg-type]
        assert (found is None) == (expected is None)
        if found is not None:
            self.status, self.last = expected or "", found
            self.done.append(action)

    @rule()
    def restart(self) -> None:
        self.book = IncidentBook(self.book.state())

    @rule(action=st.sampled_from(ACTIONS))
    def act_on_nothing(self, action: Action) -> None:
        assert self.book.act(Act("I0", action, "a", self.now)) is None

    @invariant()
    def tells_what_happened(self) -> None:
        assert self.last.status == self.status
        assert self.last.level == self.level
        assert [step.change for step in self.last.history] == self.done
        assert self.last.seq == len(self.done)
        assert self.last.open == (self.status != "closed")
        assert self.last.due_ms > self.last.raised_ts


TestLife = Life.TestCase


@given(st.lists(st.sampled_from(ACTIONS), max_size=6), st.data())
def test_how_alert_and_people_interleave_makes_no_difference(
    actions: list[Action], data: st.DataObject
) -> None:
    moves = [change(1, 2, 0, 0), change(2, 4, 2, 20_000), change(3, 0, 4, 40_000)]
    acts = [Act(incident_id(moves[0].alert_id), one, "a", 7_000 * i) for i, one in enumerate(actions)]
    ends = []
    for _ in range(2):
        book, rest, last = IncidentBook(), list(acts), book_last(moves[0])
        book.take(moves[:1])
        for move in [*moves[1:], None]:
            for _ in range(data.draw(st.integers(0, len(rest))) if move else len(rest)):
                last = book.act(rest.pop(0)) or last
            last = (book.take([move]) if move else [last])[-1]
        ends.append(book.state())
    assert ends[0] == ends[1]


def book_last(move: Transition) -> Incident:
    return IncidentBook().take([move])[0]


def test_work_that_comes_back_has_its_whole_time_again_and_escalation_shortens_it() -> None:
    book = IncidentBook()
    moves = [change(1, 2, 0, 0), change(2, 4, 2, 1_000), change(3, 2, 4, 2_000)]
    hour = 3_600_000
    assert [one.due_ms for one in book.take(moves)] == [12 * hour, 3 * hour + 1_000, 3 * hour + 1_000]
    name = incident_id(moves[0].alert_id)
    assert book.act(Act(name, "close", "a", 5_000)).due_ms == 3 * hour + 1_000  # type: ignore[union-attr]
    assert book.act(Act(name, "reopen", "a", 9_000)).due_ms == 3 * hour + 9_000  # type: ignore[union-attr]


def test_the_higher_level_is_the_more_urgent_then_what_is_due_first() -> None:
    one, later, higher = (
        IncidentBook().take([change(1, level, 0, at)])[0] for level, at in ((2, 0), (2, 5), (3, 9))
    )
    assert higher.priority > one.priority > later.priority
