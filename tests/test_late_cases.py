"""One case whose records come late: what was published is put right, in the old place and the new (R8)."""

from __future__ import annotations

import pytest

from tests.oracle.cities import CELLS, MIDNIGHT, PLACES, SECOND, City
from tests.oracle.comparison import differences, run
from tests.oracle.records import HOUR, MINUTE, Reading, Records, Transition
from tests.oracle.wire_files import Wire

FIRST = MIDNIGHT + 8 * HOUR
HERE, THERE, AWAY = CELLS[0], CELLS[2], CELLS[-1]

Step = tuple[int, str, int, str | None]
"""Minutes of arrival, status, minutes of the status itself, cell."""

STORIES: dict[str, tuple[str, list[Step]]] = {
    "a closing comes half an hour late": (
        "ev_gas_leak",
        [(5, "reported", 5, HERE), (40, "closed", 10, None)],
    ),
    "a rejection comes half an hour late": (
        "ev_gas_leak",
        [(5, "reported", 5, HERE), (40, "rejected", 10, None)],
    ),
    "the report of an accepted leak comes late and moves it": (
        "ev_gas_leak",
        [(10, "accepted", 10, THERE), (40, "reported", 5, HERE)],
    ),
    "the report of a closed leak comes late and moves it": (
        "ev_gas_leak",
        [(10, "accepted", 10, THERE), (15, "closed", 15, None), (40, "reported", 5, HERE)],
    ),
    "a leak is older than the records": (
        "ev_gas_leak",
        [(30, "reported", -60, HERE), (60, "closed", -10, None)],
    ),
    "the closing of a leak comes before its report": (
        "ev_gas_leak",
        [(30, "closed", 10, None), (60, "reported", 5, HERE)],
    ),
    "an accident is reported after it has left every window": (
        "ev_traffic_accident",
        [(100, "reported", 5, HERE)],
    ),
    "an accident is older than the records": (
        "ev_traffic_accident",
        [(30, "reported", -47, HERE)],
    ),
    "an earlier report of an accident moves it": (
        "ev_traffic_accident",
        [(20, "reported", 20, THERE), (90, "reported", 15, HERE)],
    ),
    "an earlier report moves a case that is due": (
        "ev_grid_case",
        [(30, "accepted", -1500, THERE), (90, "reported", -1510, HERE)],
    ),
    "a closing in time comes after the deadline": (
        "ev_grid_case",
        [(30, "accepted", -1410, HERE), (100, "closed", 20, None)],
    ),
}


def town(kind: str, steps: list[Step]) -> City:
    """Three hours with one case; unrelated records keep the clocks going."""
    ticks = [FIRST + m * MINUTE for m in range(0, 181, 4)]
    beats = tuple(Reading("clock", "device_heartbeat", 1.0, ts, AWAY) for ts in ticks)
    arrivals = [(ts, Transition(f"clock-{ts}", "ev_market_open", "reported", ts, AWAY)) for ts in ticks]
    arrivals += [
        (FIRST + at * MINUTE + 500, Transition("case", kind, status, FIRST + m * MINUTE, cell))
        for at, status, m, cell in steps
    ]
    transitions = tuple(t for _, t in sorted(arrivals, key=lambda a: a[0]))
    since = min(beats[0].ts, transitions[0].ts) - 10 * SECOND
    records = Records(beats, transitions, (), {cell: cell[:9] for cell in CELLS}, since)
    return City(Wire(PLACES, beats, transitions), records, FIRST, beats[-1].ts, 0, {})


@pytest.mark.parametrize("batch_size", [1, 1000])
@pytest.mark.parametrize("story", STORIES)
def test_a_late_record_of_a_case_rewrites_what_it_changes(story: str, batch_size: int) -> None:
    city = town(*STORIES[story])
    rows, summary = run(city, batch_size, 1)
    wrong = list(differences(city, rows))
    assert not wrong, f"{len(wrong)} differences, the first ones:\n" + "\n".join(wrong[:8])
    assert summary["rejected"] == {}
