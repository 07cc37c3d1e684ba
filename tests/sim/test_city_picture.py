"""The picture of a city: well-formed, the same for the same city, of the hour in which it rains."""

import xml.etree.ElementTree as ET

import numpy as np

from sim.city import START, City
from sim.city_picture import DEPTHS_M, picture, wettest
from sim.drivers import DriverChange
from sim.script import Script

HOUR = 3_600_000
QUIET = City(seed=2, sensors=2000, hours=6.0)


def stormy() -> City:
    zones = len(QUIET.regions.streets)
    profile = [(START + 3 * HOUR, 0.0), (START + 3 * HOUR + HOUR // 2, 2.0), (START + 4 * HOUR, 0.0)]
    return QUIET.with_scripts([Script(driver_changes=[DriverChange("rain", np.ones(zones), profile)])])


def test_the_wettest_hour_is_that_of_the_storm_and_shows_its_water() -> None:
    hour = wettest(stormy())
    assert abs(hour.end - (START + 4 * HOUR)) <= 300_000
    assert 55 < hour.rain.mean() < 65
    assert hour.depth.max() > DEPTHS_M[1]
    assert (np.diff(hour.depth) >= 0).all()
    gauges = QUIET.devices.sending("ponding_depth")
    assert ((hour.gauges >= gauges.start) & (hour.gauges < gauges.stop)).all()
    assert len(wettest(QUIET).gauges) == 0


def test_a_picture_is_xml_with_both_maps_and_repeats_itself() -> None:
    svg = picture(stormy())
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    circles = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(root.findall("{http://www.w3.org/2000/svg}g")) == 2
    assert len(circles) > len(wettest(stormy()).gauges)
    assert "汉南区 Hannan" in svg
    assert picture(stormy()) == svg
