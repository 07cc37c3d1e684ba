"""Settings of a detector: models of the catalogue, steps that are none."""

import numpy as np
import pytest

from indicators.catalogue import Catalogue
from indicators.detector import Detector
from indicators.detector_settings import MODELS, DetectorSettings

OF_MANY = {"none", "multivariate"}
"""What the catalogue names and no detector of single series is."""


def test_every_model_of_the_catalogue_is_there() -> None:
    named = {indicator.entry.anomaly for indicator in Catalogue.load(()).indicators}
    assert named - OF_MANY <= MODELS.keys()


def test_without_season_an_hour_is_like_any_other() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(400, 4))
    slots = [t // 12 % 168 for t in range(400)]
    one, other = (Detector(4, DetectorSettings.for_step(300_000, "robust_z")) for _ in range(2))
    for row, slot in zip(values, slots, strict=True):
        np.testing.assert_array_equal(one.update(row, slot).score, other.update(row, 5).score)


@pytest.mark.parametrize(
    ("step", "model", "message"),
    [
        pytest.param(300_000, "multivariate", "no model 'multivariate'", id="a model of many series"),
        pytest.param(0, "seasonal", "found 0", id="no step"),
    ],
)
def test_what_cannot_be_is_refused(step: float, model: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DetectorSettings.for_step(step, model)
