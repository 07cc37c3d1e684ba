"""The shipped indicators, a city's own, and the commands that show them."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.commands.catalogue import app
from indicators.catalogue import Catalogue, CatalogueError
from indicators.examples import example
from indicators.expression import Apply, Const, Kind
from indicators.functions import FUNCTIONS
from indicators.reference import markdown
from tests.oracle.recompute import RULES

ROOT = Path(__file__).resolve().parents[2]
MINUTE = 60_000
KEYS = {
    "id": '"my.gust"',
    "name_zh": '"阵风"',
    "name_en": '"Gust"',
    "theme": '"emergency"',
    "domain": '"weather"',
    "unit": '"m/s"',
    "window": '"10m"',
    "hop": '"1m"',
    "formula": '"highest(max(wind_gust))"',
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a catalogue of one indicator; keyword arguments replace keys, None leaves one out."""

    def _write(**keys: str | None) -> Path:
        lines = [f"{key} = {text}" for key, text in (KEYS | keys).items() if text is not None]
        path = tmp_path / "own.toml"
        path.write_text("\n".join(["[[indicator]]", *lines]) + "\n", encoding="utf-8")
        return path

    return _write


def refused(path: Path) -> str:
    with pytest.raises(CatalogueError) as caught:
        Catalogue.load([path])
    (message,) = caught.value.messages
    assert message.startswith(f"{path}: ")
    return message


@pytest.mark.parametrize("name", [i.id for i in Catalogue.load().indicators])
def test_every_level_clears_on_its_better_side(name: str) -> None:
    indicator = Catalogue.load()[name]
    for raised, cleared in zip(indicator.raises, indicator.clears, strict=True):
        assert math.isnan(raised) is math.isnan(cleared)
        if not math.isnan(raised):
            assert (cleared < raised) is indicator.high_bad


def test_shares_means_and_sums_of_readings_want_half_of_the_sensors() -> None:
    wanting = {i.id for i in Catalogue.load().indicators if i.min_coverage == 0.5}
    assert wanting >= {
        "air.aqi",
        "data_quality.accuracy_rate",
        "parking.occupancy_rate",
        "energy.ev_charger_utilization",
    }
    assert wanting.isdisjoint({"weather.rain_1h_max", "gas.leak_lel_max", "grid_cases.closure_rate"})
    assert {i.min_coverage for i in Catalogue.load().indicators} == {0.0, 0.5}


def test_what_measures_silence_and_the_worst_of_streets_need_no_coverage() -> None:
    without = {i.id for i in Catalogue.load().indicators if i.entry.min_coverage == 0}
    # A gauge that is silent in dry frost must not bar a warning of ice: it is a maximum (R11).
    assert without == {
        "iot_health.online_rate",
        "enterprise.emission_transmission_rate",
        "weather.road_icing_level",
    }


def test_every_indicator_wants_the_coverage_that_the_oracle_says() -> None:
    found = {i.id: i.min_coverage for i in Catalogue.load().indicators}
    assert found == {name: rule.min_coverage for name, rule in RULES.items()}


def test_five_are_judged_early() -> None:
    early = {i.id for i in Catalogue.load().indicators if i.early}
    assert early == {
        "crowd.density_max",
        "drainage.ponding_depth_max",
        "gas.leak_lel_max",
        "hazchem.tank_limit_ratio",
        "hazchem.toxic_oel_ratio",
    }


def test_the_hash_is_of_what_is_computed(write: Write) -> None:
    shipped = Catalogue.load()
    own = Catalogue.load([write()])
    assert Catalogue.load().hash == shipped.hash
    assert len({shipped.hash, own.hash, Catalogue.load(settings={"a": 1.0}).hash}) == 3
    assert Catalogue.load([write(note='"a remark"')]).hash == own.hash
    assert Catalogue.load([write(hop='"2m"')]).hash != own.hash
    assert (shipped.version, own.version) == ("1.0", "1.0+1")


def test_the_hash_does_not_depend_on_the_layout_of_a_formula(write: Write) -> None:
    spaced = write(formula='"""\nhighest(\n  max( wind_gust )\n)\n"""')
    assert Catalogue.load([spaced]).hash == Catalogue.load([write()]).hash


def test_a_folder_is_read_whole(write: Write) -> None:
    path = write()
    assert Catalogue.load([path.parent])["my.gust"].window_ms == 10 * MINUTE


def test_an_own_indicator_replaces_the_shipped_one_of_its_id(write: Write) -> None:
    catalogue = Catalogue.load([write(id='"air.aqi"')])
    assert len(catalogue.indicators) == len(Catalogue.load().indicators)
    assert catalogue["air.aqi"].entry.name_en == "Gust"


def test_conditions_levels_and_waiting_times_are_compiled(write: Write) -> None:
    path = write(
        formula='"n = number(present(max(wind_gust))); highest(max(wind_gust))"',
        alarm_needs='"n >= 2"',
        level_needs='{ red = "n >= 3" }',
        levels='{ yellow = { raise = 20 }, red = { raise = 30, clear = 25, for = "5m" } }',
    )
    indicator = Catalogue.load([path])["my.gust"]
    n = indicator.formula.parts["n"]
    assert indicator.alarm_needs == Apply("ge", (n, Const(2.0)), Kind.AREA)
    assert indicator.level_needs == {4: Apply("ge", (n, Const(3.0)), Kind.AREA)}
    assert indicator.raises[1::2] == (20.0, 30.0)
    assert indicator.clears[1::2] == (19.5, 25.0)
    assert indicator.for_ms == (0, 0, 0, 5 * MINUTE)
    assert math.isnan(indicator.raises[0])


@pytest.mark.parametrize(
    ("keys", "clears"),
    [
        pytest.param({"levels": "{ red = { raise = 30 } }"}, (28.5,), id="a single level: 5 % of it"),
        pytest.param(
            {"levels": "{ blue = { raise = 10 }, red = { raise = 30 } }"}, (9.0, 29.0), id="high is bad"
        ),
        pytest.param(
            {"levels": "{ blue = { raise = 30 }, red = { raise = 10 } }", "direction": '"low_bad"'},
            (31.0, 11.0),
            id="low is bad",
        ),
        pytest.param(
            {"levels": "{ blue = { raise = -0.2 }, red = { raise = -0.6 } }", "direction": '"low_bad"'},
            (-0.18, -0.58),
            id="below zero",
        ),
    ],
)
def test_a_level_is_left_five_percent_of_a_step_before_it(
    write: Write, keys: dict[str, str], clears: tuple[float, ...]
) -> None:
    indicator = Catalogue.load([write(**keys)])["my.gust"]
    assert [c for c in indicator.clears if not math.isnan(c)] == pytest.approx(clears, abs=1e-12)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        pytest.param({"windw": '"1h"'}, "unknown field `windw`; did you mean window?", id="unknown key"),
        pytest.param({"window": None}, "missing required field `window`", id="missing key"),
        pytest.param({"unit": "5"}, "`str`, got `int` - at `unit`", id="wrong type"),
        pytest.param({"theme": '"weather"'}, "Invalid enum value 'weather' - at `theme`", id="wrong theme"),
        pytest.param({"id": '"Gust"'}, "at `id`", id="wrong id"),
        pytest.param({"min_coverage": "2"}, "at `min_coverage`", id="coverage beyond 1"),
        pytest.param({"window": '"1x"'}, "window: not a duration: '1x'", id="wrong window"),
        pytest.param({"hop": '"7m"'}, "hop: 7m does not divide 24h", id="a hop beside the day"),
        pytest.param(
            {"formula": '"highest(max(wind_gusts))"'},
            "formula: line 1, column 13: unknown name 'wind_gusts'; did you mean wind_gust",
            id="wrong formula",
        ),
        pytest.param({"alarm_needs": '"wind_gust"'}, "alarm_needs: line 1, column 1", id="wrong condition"),
        pytest.param({"alarm_needs": '"total(pm25) > 1"'}, "pm25 is not in the formula", id="another metric"),
        pytest.param(
            {"level_needs": '{ red = "1 < 2" }', "levels": "{ red = { raise = 1 } }"},
            "level_needs.red: line 1",
            id="wrong level condition",
        ),
        pytest.param(
            {"level_needs": '{ red = "total(wind_gust) > 1" }'},
            "level_needs.red: the level has no threshold",
            id="a condition of no level",
        ),
        pytest.param(
            {"inputs": '["pm25"]'}, "inputs: found pm25, but the formula reads wind_gust", id="inputs"
        ),
        pytest.param(
            {"levels": "{ blue = { raise = 3 }, red = { raise = 2 } }"}, "rise from blue to red", id="order"
        ),
        pytest.param(
            {"levels": "{ blue = { raise = 2 }, red = { raise = 3 } }", "direction": '"low_bad"'},
            "fall from blue to red",
            id="order of low_bad",
        ),
        pytest.param(
            {"levels": "{ red = { raise = 2, clear = 3 } }"}, "clear 3 lies on the worse", id="clear"
        ),
        pytest.param({"levels": "{ red = { raise = 2, for = '1x' } }"}, "for: not a duration", id="for"),
        pytest.param({"levels": "{ red = { rise = 2 } }"}, "unknown field `rise`", id="unknown level key"),
        pytest.param({"levels": "{ black = { raise = 2 } }"}, "'black'", id="unknown level"),
        pytest.param({"levels": "{ red = { raise = nan } }"}, "a finite number", id="no number"),
        pytest.param(
            {"levels": "{ red = { raise = 2 } }", "direction": '"both"'}, "no worse side", id="levels of both"
        ),
    ],
)
def test_a_wrong_key_is_named_with_file_indicator_and_key(
    write: Write, keys: dict[str, str | None], words: str
) -> None:
    message = refused(write(**keys))
    assert words in message
    assert "Gust" in message if "Gust" in str(keys.get("id")) else "my.gust" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[[indicator]\n", "a catalogue is TOML text", id="not TOML"),
        pytest.param("", "no [[indicator]] table", id="empty"),
        pytest.param("[indicator]\nid = 'a.b'\n", "with two brackets", id="one bracket"),
    ],
)
def test_a_file_without_indicators_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    assert words in refused(path)


def test_all_faults_of_a_set_are_told_and_nothing_is_taken(write: Write, tmp_path: Path) -> None:
    one = write(hop='"7m"').read_text(encoding="utf-8")
    path = tmp_path / "two.toml"
    path.write_text(one + one.replace("my.gust", "my.other"), encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        Catalogue.load([path])
    assert [m.count("does not divide") for m in caught.value.messages] == [1, 1]


def test_an_id_that_occurs_twice_in_a_set_is_refused(write: Write) -> None:
    path = write()
    path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    assert "id: occurs twice" in refused(path)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no such file or folder"):
        Catalogue.load([tmp_path / "none.toml"])
    with pytest.raises(CatalogueError, match="in this folder"):
        Catalogue.load([tmp_path])


def test_an_unknown_id_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Catalogue.load()["no.such"]


def test_list_as_json_has_the_columns_as_names_and_empty_as_null() -> None:
    result = CliRunner().invoke(app, ["list", "--json"])
    assert result.exit_code == 0
    objects = json.loads(result.stdout)
    assert [o["id"] for o in objects] == [i.id for i in Catalogue.load().indicators]
    rate = next(o for o in objects if o["id"] == "traffic.incident_rate")
    assert (rate["blue"], rate["tier"], rate["note"]) == (None, 1, None)
    assert rate["formula"].startswith("number(entered(")
    assert rate["inputs"] == "ev_traffic_accident;ev_road_breakdown"


@pytest.mark.parametrize(("lang", "name"), [("zh", "空气质量指数(小时)"), ("en", "Hourly AQI")])
def test_list_and_show_speak_both_languages(lang: str, name: str) -> None:
    assert name in CliRunner().invoke(app, ["list", "--lang", lang]).stdout
    shown = CliRunner().invoke(app, ["show", "air.aqi", "--lang", lang]).stdout
    assert ("责任部门" in shown) is (lang == "zh")


def test_show_as_json_is_one_object() -> None:
    result = CliRunner().invoke(app, ["show", "air.aqi", "--json"])
    assert json.loads(result.stdout)["provenance"]["red"] == "verified"


def test_show_of_an_unknown_id_is_wrong_use_and_names_the_closest() -> None:
    result = CliRunner().invoke(app, ["show", "air.aqy"])
    assert result.exit_code == 2
    assert "did you mean air.aqi" in result.stderr
    assert result.stdout == ""


def test_check_counts_what_is_well_formed(write: Write) -> None:
    result = CliRunner().invoke(app, ["check", str(write())])
    assert result.exit_code == 0
    assert "1 indicators in 1 files" in result.stdout


def test_check_fails_with_the_fault_on_stderr(write: Write) -> None:
    result = CliRunner().invoke(app, ["check", str(write(hop='"7m"'))])
    assert result.exit_code == 1
    assert "own.toml:9:7: my.gust: hop: 7m does not divide 24h" in result.stderr
    assert result.stdout == ""


def test_check_as_json_gives_faults_with_their_places(write: Write) -> None:
    result = CliRunner().invoke(app, ["check", str(write(hop='"7m"')), "--json"])
    assert result.exit_code == 1
    (fault,) = json.loads(result.stdout)["faults"]
    assert (fault["line"], fault["column"], fault["key"]) == (9, 7, "hop")


def test_check_tells_what_is_kept_and_what_it_costs(write: Write, tmp_path: Path) -> None:
    path = write(formula="\"highest(max(wind_gust)) + 0 * highest(max(wind_gust, '20d'))\"")
    told = CliRunner().invoke(app, ["check", str(path)]).stdout
    assert "max(wind_gust): looks back 10m" in told
    assert ": values at once" in told
    assert "max(wind_gust, '20d'): looks back 20d" in told
    assert ": complete after" in told
    assert "µs a window, every 1m" in told
    assert "for 1,000 series" in told
    (tmp_path / "sensors.csv").write_text("sensor_id,lon,lat,metric\na,114,30,wind_gust\nb,114,30,pm25\n")
    arguments = ["check", str(path), "--json", "--sensors", str(tmp_path / "sensors.csv")]
    (found,) = json.loads(CliRunner().invoke(app, arguments).stdout)["estimates"]
    assert found["series"] == 1
    assert [need["at_once"] for need in found["needs"]] == [True, False]
    assert found["bytes"] > 0
    assert found["microseconds"] > 0


def test_check_of_a_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["check", str(tmp_path / "none.toml")]).exit_code == 2


def test_list_takes_a_catalogue_of_ones_own(write: Write) -> None:
    result = CliRunner().invoke(app, ["list", "--json", "--catalogue", str(write())])
    assert "my.gust" in {o["id"] for o in json.loads(result.stdout)}


def test_the_reference_in_docs_is_that_of_the_function_table() -> None:
    page = (ROOT / "docs" / "formulas.md").read_text(encoding="utf-8")
    assert page == markdown(), "write it anew with `make docs`"
    assert CliRunner().invoke(app, ["docs"]).stdout == page


def test_the_pages_in_docs_are_those_of_the_catalogue(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["docs", "--to", str(tmp_path)]).exit_code == 0
    written = {str(p.relative_to(tmp_path)): p.read_text(encoding="utf-8") for p in tmp_path.rglob("*.md")}
    kept = [ROOT / "docs" / "formulas.md", *(ROOT / "docs" / "indicators").rglob("*.md")]
    there = {str(p.relative_to(ROOT / "docs")): p.read_text(encoding="utf-8") for p in kept}
    assert there == written, "write them anew with `make docs`"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_indicator_has_its_section_with_formula_levels_and_source(lang: str) -> None:
    folder = ROOT / "docs" / "indicators"
    for indicator in Catalogue.load().indicators:
        entry = indicator.entry
        page = (folder / lang / f"{entry.theme}.md").read_text(encoding="utf-8")
        (text,) = re.findall(
            rf"^### {re.escape(indicator.id)}$(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE
        )
        assert (entry.name_zh if lang == "zh" else entry.name_en) in text
        assert "".join(entry.formula.replace(";", "").split()) in "".join(text.split())
        assert entry.threshold_source in text
        assert f"| {entry.unit} |" in text
        for raised in indicator.raises:
            assert math.isnan(raised) or re.search(rf"[≥≤] {re.escape(f'{raised:g}')}[ ,]", text)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_a_function_is_computed(name: str) -> None:
    found = example(name)
    assert found.records
    assert found.result


def test_the_example_in_the_reference_is_a_catalogue(tmp_path: Path) -> None:
    text = markdown().partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "example.toml"
    path.write_text(text, encoding="utf-8")
    assert Catalogue.load([path])["my_city.gust_max"].clears[3] == 30.0


def test_golden_cases_may_have_a_file_of_their_own_among_the_files_of_a_city() -> None:
    cases = '[[case]]\nindicator = "traffic.congestion_index"\nname = "n"\nat = "2024-07-03T08:00:00+08:00"\n'
    whole = Catalogue.of_texts([(Path("cases.toml"), cases)])
    assert whole.hash == Catalogue.of_texts([]).hash
