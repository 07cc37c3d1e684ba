"""Routing and service levels: the first rule that fits counts, a wrong table is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.desk import Desk
from alerts.routing import Route, Routing
from alerts.rule_file import Subject
from alerts.service_levels import ServiceLevels
from alerts.transitions import RawTransition, publish
from indicators.catalogue import Catalogue

GAS = Subject("emergency", "gas", "gas.leak_lel_max", "420106", "cell")


def test_the_catalogues_department_is_the_default_and_a_route_replaces_it(tmp_path: Path) -> None:
    table = tmp_path / "routing.toml"
    table.write_text('[[route]]\ntheme = "emergency"\ndistrict = "420106"\ndepartment = "武昌区应急管理局"\n')
    entries = [indicator.entry for indicator in Catalogue.load().indicators]
    raw = RawTransition("gas.leak_lel_max", 0, 60_000, 1, "raised", 2, 0, 12.0, 10.0, 60_000, 60_000)
    alert = publish(raw, "420106", "district", None, "")
    default = next(e.department for e in entries if e.id == "gas.leak_lel_max")
    assert Desk(entries).papers(alert).department == default != ""
    routed = Desk(entries, Routing.load(table)).papers(alert)
    assert (routed.department, routed.unit, routed.subject) == ("武昌区应急管理局", "%{LEL}", GAS_DISTRICT)


GAS_DISTRICT = Subject("emergency", "gas", "gas.leak_lel_max", "420106", "district")


def test_the_first_route_that_fits_counts() -> None:
    routes = Routing(
        (
            Route(indicator="water.*", department="一"),
            Route(kind="cell", department="二"),
            Route(department="三"),
        )
    )
    assert routes.department(GAS, "默认") == "二"
    assert routes.department(GAS_DISTRICT, "默认") == "三"


def test_an_alert_of_an_indicator_nobody_knows_is_filed_without_names() -> None:
    raw = RawTransition("own.thing", 0, 60_000, 1, "raised", 2, 0, 12.0, 10.0, 60_000, 60_000)
    papers = Desk().papers(publish(raw, "city", "city", None, ""))
    assert (papers.name_en, papers.department, papers.subject.district) == ("own.thing", "", "city")


def test_the_shipped_times_shrink_with_the_level_for_every_theme() -> None:
    levels = ServiceLevels.load()
    for theme in ("urban_governance", "emergency", "livelihood", "industry"):
        times = levels.times(Subject(theme, "", "", "", "cell"))
        assert list(times) == sorted(times, reverse=True)
        assert times[0] == 8 * times[3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[sla]]\nblue = "1h"\n', r"sla 1: .*yellow"),
        ('[[sla]]\nblue = "x"\nyellow = "1h"\norange = "1h"\nred = "1h"\n', "not a duration: 'x'"),
        ('[[sla]]\nblue = "1h"\nyellow = "2h"\norange = "1h"\nred = "1h"\n', "higher level has more time"),
        ('[[sla]]\ntheme = "x"\nblue = "1h"\nyellow = "1h"\norange = "1h"\nred = "1h"\n', "end with one"),
        ('[[sla]]\nthema = "x"\n', "unknown field `thema`"),
        ("", "end with one"),
        ("[[slas]]\n", "slas is no list of tables called sla"),
        ("sla = 3\n", r"write \[\[sla"),
        ("[[sla", "rules are TOML"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "sla.toml"
    table.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        ServiceLevels.load(table)
    assert str(table) in str(caught.value)
