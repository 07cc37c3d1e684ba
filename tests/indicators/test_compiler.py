"""What formulas mean: types, names, arguments, and what is refused with which words."""

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicators.compiler import FormulaError, compile_flag, compile_formula
from indicators.durations import milliseconds
from indicators.expression import (
    Aggregate,
    Apply,
    CaseSet,
    CaseValue,
    Clock,
    Const,
    Despike,
    Kind,
    Metric,
    Reduce,
    Setting,
    Union,
    walk,
)
from indicators.functions import FUNCTIONS, SECTIONS
from indicators.metrics import Metrics

METRICS = Metrics.load()
SHARED = Path(__file__).resolve().parents[3] / "shared"
HOUR = 3_600_000
RAIN = Aggregate("sum", Metric("rain_1m"))
HEAVY = Apply("ge", (RAIN, Const(50.0)), Kind.SERIES)


def value(text: str) -> object:
    return compile_formula(text, METRICS).value


def fault(text: str, window: str | None = None) -> FormulaError:
    with pytest.raises(FormulaError) as caught:
        compile_formula(text, METRICS, window_ms=milliseconds(window) if window else None)
    return caught.value


def shared(path: str) -> list[dict[str, str]]:
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"{path} is not beside this tree")
    with file.open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def test_all_formulas_of_the_design_are_well_typed_and_read_the_inputs_they_declare() -> None:
    rows = {r["id"]: r for r in shared("catalogue/indicators.csv")}
    formulas = shared("design/formulas.csv")
    assert len(formulas) == 84
    for row in formulas:
        declared = rows[row["id"]]
        window = milliseconds(declared["window"])
        formula = compile_formula(row["formula"], METRICS, window_ms=window)
        assert {*formula.metrics, *formula.events} == set(declared["inputs"].split(";")), row["id"]
        if row["alarm_needs"]:
            compile_flag(row["alarm_needs"], formula, METRICS)
        if row["level_needs"]:
            compile_flag(row["level_needs"].partition(":")[2].strip(), formula, METRICS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_every_function_compiles_and_uses_it(name: str) -> None:
    example = FUNCTIONS[name].example
    assert f"{name}(" in example
    compile_formula(f"example = {example}; number(present(last(bin_fill)))", METRICS)


def test_there_are_sixty_functions_and_the_names_are_those_of_the_language() -> None:
    assert len(FUNCTIONS) == 60
    assert {f.section for f in FUNCTIONS.values()} == set(SECTIONS)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        pytest.param("highest(sum(rain_1m))", Reduce("highest", (RAIN,)), id="a reduction of an aggregate"),
        pytest.param("total(rain_1m)", Reduce("total", (Metric("rain_1m"),)), id="pooled"),
        pytest.param(
            "total(rain_1m) - 1",
            Apply("sub", (Reduce("total", (Metric("rain_1m"),)), Const(1.0)), Kind.AREA),
            id="arithmetic takes the wider kind",
        ),
        pytest.param("number(sum(rain_1m) >= 50)", Reduce("number", (HEAVY,)), id="a flag is counted"),
        pytest.param(
            "number(not 10**2 / 2 > sum(rain_1m))",
            Reduce(
                "number",
                (Apply("not", (Apply("gt", (Const(50.0), RAIN), Kind.SERIES),), Kind.SERIES),),
            ),
            id="numbers are computed once",
        ),
        pytest.param(
            "number(1 < sum(rain_1m) <= 2)",
            Reduce(
                "number",
                (
                    Apply(
                        "and",
                        (
                            Apply("lt", (Const(1.0), RAIN), Kind.SERIES),
                            Apply("le", (RAIN, Const(2.0)), Kind.SERIES),
                        ),
                        Kind.SERIES,
                    ),
                ),
            ),
            id="a chained comparison is two",
        ),
        pytest.param(
            "share(-60 <= bus_arrival_deviation)",
            Reduce(
                "share",
                (Apply("le", (Const(-60.0), Metric("bus_arrival_deviation")), Kind.READINGS),),
            ),
            id="a comparison of readings has a number",
        ),
        pytest.param(
            "highest(sum(rain_1m) if sum(rain_1m) >= 50 else 0)",
            Reduce("highest", (Apply("if", (HEAVY, RAIN, Const(0.0)), Kind.SERIES),)),
            id="condition, then, else",
        ),
        pytest.param(
            "highest(sum(rain_1m, '3h', offset='1d', need='45m', cover=0.8))",
            Reduce(
                "highest",
                (Aggregate("sum", Metric("rain_1m"), 3 * HOUR, 24 * HOUR, None, 45 * 60_000, 0.8),),
            ),
            id="window, offset, minutes of data, cover",
        ),
        pytest.param(
            "highest(mean(pm25, need=6))",
            Reduce("highest", (Aggregate("mean", Metric("pm25"), need=6.0),)),
            id="a number of readings",
        ),
        pytest.param(
            "highest(percentile(gas_lel, 95))",
            Reduce("highest", (Aggregate("percentile", Metric("gas_lel"), params=(Const(95.0),)),)),
            id="percentile rank",
        ),
        pytest.param(
            "quantile(max(wind_gust), 0.95)",
            Reduce("quantile", (Aggregate("max", Metric("wind_gust")),), (0.95,)),
            id="quantile",
        ),
        pytest.param(
            "highest(max(despike(wind_gust, 2)))",
            Reduce("highest", (Aggregate("max", Despike("wind_gust", 2.0)),)),
            id="despiked readings",
        ),
        pytest.param(
            "number(seen(device_heartbeat, '7d'))",
            Reduce("number", (Aggregate("seen", Metric("device_heartbeat"), 168 * HOUR),)),
            id="seen is a flag",
        ),
        pytest.param(
            "number(entered(ev_hotline, ev_dispute, 'reported', 'closed', window='2h', without='rejected'))",
            Reduce(
                "number",
                (
                    CaseSet(
                        "entered",
                        ("ev_hotline", "ev_dispute"),
                        ("reported", "closed"),
                        window=2 * HOUR,
                        without="rejected",
                    ),
                ),
            ),
            id="events, then statuses",
        ),
        pytest.param(
            "number(open(ev_hotline) | open(ev_dispute, before='arrived') | open(ev_manhole))",
            Reduce(
                "number",
                (
                    Union(
                        (
                            CaseSet("open", ("ev_hotline",)),
                            CaseSet("open", ("ev_dispute",), before="arrived"),
                            CaseSet("open", ("ev_manhole",)),
                        )
                    ),
                ),
            ),
            id="a union is flat",
        ),
        pytest.param(
            "average(by_type(open(ev_fire_alarm), ev_fire_alarm=300))",
            Reduce(
                "average",
                (
                    CaseValue(
                        "by_type",
                        CaseSet("open", ("ev_fire_alarm",)),
                        numbers=(("ev_fire_alarm", 300.0),),
                    ),
                ),
            ),
            id="a number per event type",
        ),
        pytest.param(
            "total(rain_1m) * setting('factor', 2)",
            Apply("mul", (Reduce("total", (Metric("rain_1m"),)), Setting("factor", 2.0)), Kind.AREA),
            id="a setting is kept",
        ),
        pytest.param(
            "total(rain_1m) - (70 if clock('06:00-22:00') else 55)",
            Apply(
                "sub",
                (
                    Reduce("total", (Metric("rain_1m"),)),
                    Apply("if", (Clock(6 * HOUR, 22 * HOUR), Const(70.0), Const(55.0)), Kind.SCALAR),
                ),
                Kind.AREA,
            ),
            id="a scalar goes with an area",
        ),
        pytest.param(
            "mean_of(total(pm25), total(pm10), weights=(0.7, 0.3))",
            Apply(
                "mean_of",
                (Reduce("total", (Metric("pm25"),)), Reduce("total", (Metric("pm10"),))),
                Kind.AREA,
                (0.7, 0.3),
            ),
            id="weights are parameters",
        ),
        pytest.param(
            "piecewise(total(pm25), (0, 1), (2, 3))",
            Apply(
                "piecewise",
                (Reduce("total", (Metric("pm25"),)), Const(0.0), Const(1.0), Const(2.0), Const(3.0)),
                Kind.AREA,
            ),
            id="points are flat",
        ),
        pytest.param(
            "peak(total(rain_1m), '15m')",
            Apply("peak", (Reduce("total", (Metric("rain_1m"),)),), Kind.AREA, (900_000.0,)),
            id="history keeps its numbers",
        ),
    ],
)
def test_a_formula_becomes_this_tree(text: str, node: object) -> None:
    assert value(text) == node


def test_missing_bounds_and_pollutants_are_nan() -> None:
    found = compile_formula("aqi(pm10=total(pm10)) + clip(total(pm25), hi=1)", METRICS).value
    missing = [n for n in walk(found) if isinstance(n, Const) and math.isnan(n.value)]
    assert len(missing) == 5 + 1


def test_a_bound_per_row_that_is_unknown_makes_the_row_unknown() -> None:
    found = value("highest(clip(sum(rain_1m), hi=last(pipe_diameter)))")
    bound = Aggregate("last", Metric("pipe_diameter"))
    assert isinstance(found, Reduce)
    assert found.args[0] == Apply(
        "only",
        (
            Apply("clip", (RAIN, found.args[0].args[0].args[1], bound), Kind.SERIES),  # type: ignore[union-attr]
            Apply("present", (bound,), Kind.SERIES),
        ),
        Kind.SERIES,
    )


def test_parts_are_kept_in_order_and_expanded_in_place() -> None:
    formula = compile_formula("a = total(pm25); b = a + 1; b * a", METRICS)
    assert list(formula.parts) == ["a", "b"]
    assert formula.value == Apply("mul", (formula.parts["b"], formula.parts["a"]), Kind.AREA)


def test_a_condition_uses_the_parts_but_leaves_them_alone() -> None:
    formula = compile_formula("n = number(present(last(bin_fill))); n", METRICS)
    flag = compile_flag("few = 3; n > few", formula)
    assert flag == Apply("gt", (formula.parts["n"], Const(3.0)), Kind.AREA)
    assert list(formula.parts) == ["n"]


def test_inputs_are_listed_in_order_of_appearance_each_once() -> None:
    formula = compile_formula("b = total(pm10); total(pm25) + b + number(open(ev_gas_leak)) + b", METRICS)
    assert formula.metrics == ("pm10", "pm25")
    assert formula.events == ("ev_gas_leak",)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        pytest.param("highest(max(rain_1min))", 13, "did you mean rain_1m?", id="unknown metric"),
        pytest.param("hihgest(max(rain_1m))", 1, "did you mean highest", id="unknown function"),
        pytest.param("total(rain_1m) + 总数", 18, "unknown name '总数'", id="unknown and nothing close"),
        pytest.param("__import__('os')", 1, "unknown function '__import__'", id="builtins are unknown"),
        pytest.param("number(ev_hotline)", 8, "use it inside entered", id="a bare event type"),
        pytest.param("total + 1", 1, "is a function; call it", id="a bare function"),
        pytest.param("pm25('1h')", 1, "write an aggregate of it, as in mean(pm25)", id="a metric called"),
        pytest.param("ev_hotline('closed')", 1, "is an event type, no function", id="an event type called"),
        pytest.param("pm25 = 1; total(pm10)", 1, "'pm25' is a metric", id="a part hides a metric"),
        pytest.param("sum = 1; total(pm10)", 1, "'sum' is a function", id="a part hides a function"),
        pytest.param("ev_hotline = 1; total(pm10)", 1, "is an event type", id="a part hides an event type"),
        pytest.param("a = 1; a = 2; total(pm10)", 8, "named twice", id="a part is named twice"),
        pytest.param("'closed'", 1, "stands only as an argument", id="a bare text"),
        pytest.param("(1, 2)", 1, "a tuple stands only", id="a bare tuple"),
        pytest.param("total(pm25) + 1e999", 15, "too large", id="an infinite number"),
        pytest.param("total(pm25) + 9" + "9" * 400, 15, "too large", id="a huge whole number"),
        pytest.param("7", 1, "must be an Area number; found the number 7", id="a scalar value"),
        pytest.param("mean(pm25)", 1, "found a Series number: reduce the rows", id="a series value"),
        pytest.param("pm25", 1, "found the readings of pm25", id="a readings value"),
        pytest.param("total(pm25) > 1", 1, "found an Area flag: write 1 if", id="a flag value"),
        pytest.param("open(ev_gas_leak)", 1, "found a set of cases", id="a set value"),
        pytest.param("highest(mean(pm25) + total(pm25))", 9, "cannot go back into series", id="series, area"),
        pytest.param("highest(pm25 + 1)", 9, "aggregate first, as in mean(pm25)", id="readings arithmetic"),
        pytest.param("highest(abs(pm25))", 13, "but not a bare metric", id="readings in a function"),
        pytest.param("share(pm25 > pm10)", 7, "of one metric", id="readings of two metrics"),
        pytest.param("share(pm25 > 1 and pm10 > 1)", 7, "of one metric", id="flags of two metrics"),
        pytest.param("share(pm25 > setting('a', 1))", 7, "numbers written out", id="readings and a setting"),
        pytest.param("share(pm25 > mean(pm25))", 7, "aggregate the readings first", id="readings and series"),
        pytest.param("highest(despike(pm25, 2))", 9, "must be a metric", id="despike outside an aggregate"),
        pytest.param("share(despike(pm25, 2) > 1)", 7, "only inside an aggregate", id="despike compared"),
        pytest.param("highest(mean(mean(pm25)))", 14, "must be the name of a metric", id="twice aggregated"),
        pytest.param("highest(highest(mean(pm25)))", 9, "found an Area number", id="twice reduced"),
        pytest.param("total(open(ev_manhole))", 7, "found a set of cases", id="a set is no number"),
        pytest.param("number(open(ev_manhole)) + open(ev_manhole)", 1, "is not a value", id="a set in a sum"),
        pytest.param(
            "number(open(ev_manhole) | pm25)", 27, "joins sets of cases", id="a union with readings"
        ),
        pytest.param(
            "highest(severity(open(ev_manhole)) + mean(pm25))", 9, "do not go together", id="cases, series"
        ),
        pytest.param(
            "total(severity(open(ev_manhole)) * severity(open(ev_hotline)))", 7, "name one set", id="two sets"
        ),
        pytest.param(
            "total(pm25) + (total(pm25) > 1)", 16, "arithmetic on an Area flag", id="flag arithmetic"
        ),
        pytest.param("total(pm25) and total(pm10)", 1, "a flag is needed here", id="numbers in and"),
        pytest.param("1 if total(pm25) else 0", 6, "a flag is needed here", id="a number as condition"),
        pytest.param("total(pm25) > 1 > (total(pm10) > 2)", 20, "use and, or, not", id="a flag compared"),
        pytest.param("number(mean(pm25))", 8, "must be a flag per reading", id="number of numbers"),
        pytest.param("1 if total(pm25) > 1 else total(pm25) > 2", 1, "make them alike", id="unlike branches"),
        pytest.param("highest()", 1, "needs 'x'", id="no argument"),
        pytest.param("highest(mean(pm25), 3)", 21, "one argument too many", id="too many"),
        pytest.param("highest(mean(pm25, windw='1h'))", 20, "did you mean window?", id="unknown keyword"),
        pytest.param("highest(mean(pm25, '1h', window='1h'))", 26, "given twice", id="twice"),
        pytest.param("highest(mean(pm25, 3600))", 20, "put it in quotes", id="a number for a duration"),
        pytest.param("highest(mean(pm25, '1x'))", 20, "not a duration: '1x'", id="a wrong duration"),
        pytest.param("highest(mean(pm25, need='1x'))", 25, "not a duration", id="a wrong need"),
        pytest.param("highest(mean(pm25, cover=1.5))", 26, "up to 1", id="cover beyond 1"),
        pytest.param("highest(percentile(pm25, 100))", 26, "below 100", id="rank beyond 100"),
        pytest.param("highest(percentile(pm25, total(pm25)))", 26, "written out", id="rank not written out"),
        pytest.param("quantile(mean(pm25), 'half')", 22, "found a text", id="text for a number"),
        pytest.param(
            "number(entered(ev_hotlin, 'closed'))", 16, "did you mean ev_hotline", id="unknown event"
        ),
        pytest.param("number(entered(ev_hotline, 'close'))", 28, "did you mean closed", id="unknown status"),
        pytest.param(
            "number(entered(ev_hotline, 'zzz'))", 28, "one of reported, accepted", id="no such status"
        ),
        pytest.param("number(entered(ev_hotline))", 8, "needs 'status'", id="no status"),
        pytest.param("number(entered('closed'))", 8, "needs 'event'", id="no event type"),
        pytest.param(
            "number(due(ev_ili_case, since='reported'))", 8, "has none; give within=", id="no deadline"
        ),
        pytest.param(
            "number(open(ev_ili_case, since='reported'))", 8, "ev_ili_case has none", id="none, open"
        ),
        pytest.param("share(overdue(open(ev_hotline)))", 7, "needs deadlines", id="overdue without since"),
        pytest.param(
            "share(ontime(entered(ev_hotline, 'closed'), 'closed'))", 7, "needs deadlines", id="ontime"
        ),
        pytest.param("total(pm25) if clock('6-22') else 0", 22, "write local times", id="a wrong clock span"),
        pytest.param("total(pm25) * setting('A b', 1)", 23, "is not a name", id="a wrong setting name"),
        pytest.param("total(pm25) * setting('a', total(pm25))", 28, "written out", id="a computed default"),
        pytest.param("clip(total(pm25))", 1, "has no bound", id="clip without bounds"),
        pytest.param("clip(total(pm25), 5, 1)", 1, "lo 5 above hi 1", id="crossed bounds"),
        pytest.param("piecewise(total(pm25), (2, 0), (1, 5))", 1, "must rise", id="points fall"),
        pytest.param("piecewise(total(pm25), (2, 0))", 24, "2 times at least", id="one point"),
        pytest.param("piecewise(total(pm25), (2, 0, 1), (3, 1))", 24, "found 3 items", id="a triple"),
        pytest.param(
            "piecewise(total(pm25), 2, 3)", 24, "put it in parentheses", id="points without parentheses"
        ),
        pytest.param("mean_of(total(pm25), weights=(1, 2))", 1, "1 values and 2 weights", id="weights"),
        pytest.param("mean_of(total(pm25), weights=(-1,))", 30, "not negative", id="a negative weight"),
        pytest.param("mean_of(total(pm25), weights=(0,))", 1, "all 0", id="no weight"),
        pytest.param("aqi()", 1, "has no argument", id="no pollutant"),
        pytest.param("highest(twm(bus_arrival_deviation))", 9, "needs a sampling period", id="no period"),
        pytest.param("highest(sum(bus_arrival_deviation, need='5m'))", 9, "need= as a duration", id="need"),
        pytest.param("highest(sum(bus_arrival_deviation, cover=0.5))", 9, "cover= needs", id="cover"),
        pytest.param("total(rain_1m) % 2", 1, "not part of the formula language", id="syntax"),
        pytest.param(
            "peak(highest(median(pm25)), '5m')", 1, "median(...) cannot stand inside peak", id="history"
        ),
        pytest.param(
            "robust_z(number(entered(ev_hotline, 'rework')), 28, 7)",
            1,
            "'rework', which may repeat",
            id="repeats",
        ),
        pytest.param("robust_z(number(open(ev_hotline)), 28, 7)", 1, "open(...) cannot stand", id="open"),
        pytest.param("peak(quantile(pm25, 0.5), '5m')", 1, "quantile(...) of readings", id="pooled quantile"),
        pytest.param(
            "peak(peak(total(pm25), '5m'), '5m')", 1, "peak(...) cannot stand", id="history of history"
        ),
    ],
)
def test_a_fault_is_named_at_its_place(text: str, column: int, words: str) -> None:
    error = fault(text)
    assert words in error.message
    assert (error.line, error.column) == (1, column)


def test_a_fault_names_its_line() -> None:
    error = fault("a = total(pm25)\nb = a +\\\n  nothing\nb")
    assert (error.line, error.column) == (3, 3)


@pytest.mark.parametrize(
    ("text", "window", "words"),
    [
        pytest.param("highest(median(pm25))", "7d", "2016 readings of pm25", id="too many kept"),
        pytest.param("quantile(pm25, 0.5)", "7d", "at most 512", id="pooled"),
        pytest.param(
            "peak(total(pm25), '25m')", "1h", "25m does not divide 1h", id="a step beside the window"
        ),
    ],
)
def test_what_depends_on_the_window_is_checked_with_it(text: str, window: str, words: str) -> None:
    assert words in fault(text, window).message
    compile_formula(text, METRICS)


def test_a_nested_window_keeps_at_most_512_readings_too() -> None:
    assert "576 readings of pm25" in fault("highest(median(pm25, '2d'))").message


def test_a_slope_over_steps_keeps_no_readings() -> None:
    compile_formula("highest(slope(pm25, step='1h'))", METRICS, window_ms=milliseconds("7d"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("n", "must be an Area flag; found an Area number: compare it", id="a number"),
        pytest.param("sum(rain_1m) > 5", "found a Series flag: reduce the rows", id="a series flag"),
        pytest.param("m > 5", "unknown name 'm'", id="an unknown part"),
        pytest.param("n = 5; n > 5", "named twice", id="a part assigned again"),
        pytest.param("clock('06:00-22:00')", "found a Scalar flag", id="a scalar flag"),
    ],
)
def test_a_condition_is_an_area_flag(text: str, words: str) -> None:
    formula = compile_formula("n = total(rain_1m); n", METRICS)
    with pytest.raises(FormulaError) as caught:
        compile_flag(text, formula, METRICS)
    assert words in caught.value.message


def test_parts_that_double_each_other_cannot_explode() -> None:
    doubling = "; ".join(f"a{i + 1} = a{i} + a{i}" for i in range(40))
    error = fault(f"a0 = total(pm25); {doubling}; a40")
    assert "once the parts are expanded" in error.message


def test_a_long_chain_of_parts_is_fine() -> None:
    chain = "; ".join(f"a{i + 1} = --a{i}" for i in range(95))
    formula = compile_formula(f"a0 = total(pm25); {chain}; a95", METRICS)
    assert hash(formula) == hash(compile_formula(formula.text, METRICS))


WORDS = [*FUNCTIONS, "pm25", "rain_1m", "ev_hotline", "'closed'", "'1h'", "1", "0.5", "a"]
SIGNS = ["(", ")", ",", "+", "*", "**", "|", "<=", "==", "and", "not", "if", "else", "=", ";", "weights="]


@given(st.lists(st.sampled_from(WORDS + SIGNS), min_size=1, max_size=25).map(" ".join))
def test_any_jumble_is_compiled_or_refused_and_nothing_else(text: str) -> None:
    try:
        compile_formula(text, METRICS)
    except FormulaError as error:
        assert error.message  # noqa: PT017 - most jumbles are refused, some are not


CALLS = st.recursive(
    st.sampled_from(["pm25", "rain_1m", "1", "total(pm25)", "mean(pm25)", "open(ev_hotline)", "pm25 > 1"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(list(FUNCTIONS)), st.lists(inner, max_size=3)).map(
            lambda call: f"{call[0]}({', '.join(call[1])})"
        ),
        st.tuples(inner, st.sampled_from(["+", "/", "<", "and", "|"]), inner).map(" ".join),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
    ),
    max_leaves=8,
)


@given(CALLS)
def test_any_combination_of_calls_is_compiled_or_refused_and_nothing_else(text: str) -> None:
    try:
        formula = compile_formula(text, METRICS)
    except FormulaError as error:
        assert error.message  # noqa: PT017 - most combinations are refused, some are not
    else:
        assert formula.value.kind is Kind.AREA
        kinds = {n.kind for n in walk(formula.value) if isinstance(n, Reduce)}
        assert kinds == {Kind.AREA}
