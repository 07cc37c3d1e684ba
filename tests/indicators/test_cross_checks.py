"""The rules between metrics: what is shipped holds, what is wrong is told."""

import pytest

from indicators.cross_checks import CrossCheckError, CrossChecks, Trait
from indicators.metrics import Metrics

RULE = """
[[rule]]
id = "a"
name_zh = "甲"
name_en = "A"
when = ["rain_1m"]
then = ["ponding_depth"]
sign = "same"
lag = "1h"
supports = "event"
"""


def test_every_shipped_rule_has_both_names_and_both_kinds_occur() -> None:
    rules = CrossChecks.load().rules
    assert all(rule.name_zh != rule.name_en and rule.lag_ms > 0 for rule in rules)
    assert {rule.supports for rule in rules} == {"event", "fault"}


def test_traits_add_up() -> None:
    assert CrossChecks.load().traits["rain_1m"] == Trait.IMPULSIVE | Trait.STATE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("rain_1m", "rain_1min"), "a: no metric of sensors is 'rain_1min'; did you mean rain_1m?"),
        (("ponding_depth", "pipe_diameter"), "a: no metric of sensors is 'pipe_diameter'"),
        (('"1h"', '"soon"'), "a: lag: not a duration: 'soon'"),
        (('"same"', '"up"'), "Invalid enum value 'up'"),
        (("sign", "sgin"), "sgin"),
        (("[[rule]]", "[[rule"), "the rules are no TOML"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(change: tuple[str, str], message: str) -> None:
    with pytest.raises(CrossCheckError) as caught:
        CrossChecks.read(RULE.replace(*change), Metrics.load())
    assert message in str(caught.value)


def test_an_id_is_that_of_one_rule() -> None:
    with pytest.raises(CrossCheckError, match="occurs 2 times"):
        CrossChecks.read(RULE + RULE, Metrics.load())


def test_an_unknown_rule_is_none() -> None:
    with pytest.raises(KeyError):
        CrossChecks.load()["none"]
