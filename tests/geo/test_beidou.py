"""BeiDou grid codes (C-2.2): the standard's own example, recorded vectors and a slow, literal reading."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geo import beidou

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "beidou_vectors.csv"
LEVELS = range(1, 11)

lons = st.floats(-180, 180, width=64)
lats = st.floats(-87.99, 87.99, width=64)
levels = st.sampled_from(LEVELS)
edges = st.tuples(st.integers(-45 * 900, 45 * 900), st.integers(-21 * 900, 21 * 900)).map(
    lambda steps: (steps[0] * 4 / 3600, steps[1] * 4 / 3600)
)


def literal_code(lon: float, lat: float) -> str:
    """The text of level 10, one character at a time, in exact fractions."""
    x, y = Fraction(round(Fraction(lon) * 10**9), 10**9), Fraction(round(Fraction(lat) * 10**9), 10**9)
    x = (x + 180) % 360 - 180
    column = 31 + x // 6 if x >= 0 else 30 - abs(x) // 6
    text = f"{'N' if y >= 0 else 'S'}{column:02}{chr(ord('A') + abs(y) // 4)}"
    x, y, wide, high = abs(x) % 6, abs(y) % 4, Fraction(6), Fraction(4)
    for across, up, as_digit in [
        (12, 8, False),
        (2, 3, True),
        (15, 10, False),
        (15, 15, False),
        (2, 2, True),
        *[(8, 8, False)] * 4,
    ]:
        wide, high = wide / across, high / up
        i, j = x // wide, y // high
        x, y = x - i * wide, y - j * high
        text += str(j * 2 + i) if as_digit else f"{i:X}{j:X}"
    return text


def encode_all(points: list[tuple[float, float]], level: int) -> npt.NDArray[np.int64]:
    return beidou.encode([lon for lon, _ in points], [lat for _, lat in points], level)


def test_the_example_of_the_standard_is_coded_at_every_level() -> None:
    lon, lat = 116 + 18 / 60 + 45.37 / 3600, 39 + 59 / 60 + 35.38 / 3600
    for level in LEVELS:
        assert beidou.code(lon, lat, level) == "N50J47539B8255346152"[: beidou.length(level)]


@pytest.mark.skipif(not VECTORS.exists(), reason="the recorded vectors are not beside this checkout")
@pytest.mark.parametrize("level", LEVELS)
def test_recorded_vectors_are_met_at_every_level(level: int) -> None:
    with VECTORS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    codes = beidou.encode([float(row["lon"]) for row in rows], [float(row["lat"]) for row in rows], level)
    assert beidou.text(codes, level) == [row["code10"][: beidou.length(level)] for row in rows]


@given(lons, lats)
@example(0.0, 0.0)
@example(-1e-9, -1e-9)
@example(-4e-10, -4e-10)
@example(180.0, 0.0)
@example(-180.0, 87.999999999)
@example(179.9999999999, -87.999999999)
@example(-6.0, -4.0)
@example(114.0, 28.0)
def test_codes_are_those_of_the_literal_reading(lon: float, lat: float) -> None:
    assert beidou.code(lon, lat, 10) == literal_code(lon, lat)


@given(edges)
def test_edges_of_cells_are_decided_like_the_literal_reading(edge: tuple[float, float]) -> None:
    assert beidou.code(*edge, 10) == literal_code(*edge)


@given(st.lists(st.tuples(lons, lats), min_size=1, max_size=20), levels)
def test_texts_and_codes_are_each_others_inverse(points: list[tuple[float, float]], level: int) -> None:
    codes = encode_all(points, level)
    parsed, found = beidou.parse(beidou.text(codes, level))
    assert found == level
    np.testing.assert_array_equal(parsed, codes)


@given(lons, lats, levels)
def test_the_centre_of_a_cell_has_its_code(lon: float, lat: float, level: int) -> None:
    codes = beidou.encode([lon], [lat], level)
    np.testing.assert_array_equal(beidou.encode(*beidou.center(codes, level), level), codes)


@given(st.floats(-179.99, 179.99), lats, levels)
def test_bounds_hold_their_point(lon: float, lat: float, level: int) -> None:
    west, south, east, north = beidou.bounds(beidou.encode([lon], [lat], level), level)
    assert west[0] - 1e-9 <= lon <= east[0] + 1e-9
    assert south[0] - 1e-9 <= lat <= north[0] + 1e-9


@given(lons, lats, levels, levels)
def test_a_parent_is_the_code_of_the_point_at_the_coarser_level(
    lon: float, lat: float, a: int, b: int
) -> None:
    fine, coarse = max(a, b), min(a, b)
    held = beidou.parent(beidou.encode([lon], [lat], fine), fine, coarse)
    np.testing.assert_array_equal(held, beidou.encode([lon], [lat], coarse))


@given(st.lists(st.tuples(lons, lats), min_size=2, max_size=20), levels)
def test_codes_sort_like_their_texts(points: list[tuple[float, float]], level: int) -> None:
    codes = encode_all(points, level)
    assert beidou.text(np.sort(codes), level) == sorted(beidou.text(codes, level))
    assert 0 <= codes.min() <= codes.max() < beidou.count(level) < 2**63


@given(lons, st.floats(-80, 80), st.sampled_from(range(2, 11)))
def test_a_cell_is_the_neighbour_of_its_neighbours(lon: float, lat: float, level: int) -> None:
    lon = min(max(lon, -179.999), 179.999)
    codes = beidou.encode([lon], [lat], level)
    around = beidou.neighbours(codes, level)[0]
    assert len({*around.tolist(), *codes.tolist()}) == 9
    for place, neighbour in enumerate(around.tolist()):
        assert beidou.neighbours([neighbour], level)[0, (place + 4) % 8] == codes[0]


@pytest.mark.parametrize(
    ("lon", "lat", "place", "expected"),
    [
        pytest.param(119.9999, 30.0001, 2, "N51", id="into the next column"),
        pytest.param(1e-6, 1e-6, 4, "S31", id="over the equator"),
        pytest.param(1e-6, 1e-6, 6, "N30", id="over Greenwich"),
        pytest.param(179.9999, 10.0, 2, "N01", id="over the date line eastward"),
        pytest.param(-179.9999, 10.0, 6, "N60", id="over the date line westward"),
    ],
)
def test_neighbours_cross_borders(lon: float, lat: float, place: int, expected: str) -> None:
    around = beidou.neighbours(beidou.encode([lon], [lat], 5), 5)[0, place]
    assert beidou.text([around], 5)[0].startswith(expected)


def test_neighbours_end_at_88_degrees() -> None:
    around = beidou.neighbours(beidou.encode([10.0], [87.9999], 5), 5)[0]
    assert (around < 0).tolist() == [True, True, False, False, False, False, False, True]


@given(st.floats(-179.9, 179.9), lats, st.integers(-3, 3))
def test_longitudes_wrap(lon: float, lat: float, turns: int) -> None:
    lon = round(lon, 6)
    assert beidou.code(lon + 360 * turns, lat, 6) == beidou.code(lon, lat, 6)


@pytest.mark.parametrize("lat", [88.0, -88.0, 87.9999999999, 90.0, 1e300, np.inf, np.nan])
def test_polar_and_absent_latitudes_are_refused(lat: float) -> None:
    assert beidou.encode([114.0, 114.0], [lat, 30.0], 5).tolist()[0] == -1
    with pytest.raises(ValueError, match="no code at lon"):
        beidou.code(114.0, lat)


@pytest.mark.parametrize("lon", [np.nan, np.inf, -1e300])
def test_absent_longitudes_are_refused(lon: float) -> None:
    assert beidou.encode([lon, 114.0], [30.0, 30.0], 5)[0] == -1


def test_no_code_stays_no_code() -> None:
    assert beidou.text([-1], 5) == [""]
    assert beidou.parent([-1], 5, 3).tolist() == [-1]
    assert np.isnan(beidou.center([-1], 5)).all()
    assert (beidou.neighbours([-1], 5) == -1).all()
    assert beidou.text([], 5) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "N",
        "N50j47539B8",
        "N61J47539B8",
        "N00A10",
        "N50W47539B8",
        "X50J",
        "N50JC0",
        "N50J08",
        "N50J006",
        "N50J0000A",
        "N50J00000F0",
        "N50J00000004",
        "N50J00000000008",
        "Ｎ50J",
        "N50J4",
        "N50J47539B82553461520",
    ],
)
def test_texts_that_are_no_codes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no BeiDou grid code"):
        beidou.parse(["N50J", text] if text else [text])


def test_codes_of_several_levels_do_not_parse_as_one() -> None:
    with pytest.raises(ValueError, match=r"found levels \[1, 2\]"):
        beidou.parse(["N50J", "N50J47"])
    with pytest.raises(ValueError, match="an empty list"):
        beidou.parse([])


def test_wrong_levels_codes_and_lengths_are_named() -> None:
    with pytest.raises(ValueError, match="level must be 1 to 10, found 11"):
        beidou.encode([1.0], [1.0], 11)
    with pytest.raises(ValueError, match="level must be 1 to 5, found 6"):
        beidou.parent([1], 5, 6)
    with pytest.raises(ValueError, match="is no code of level 1"):
        beidou.text([2684], 1)
    with pytest.raises(ValueError, match="found 2 and 1"):
        beidou.encode([1.0, 2.0], [1.0], 5)


def test_a_batch_gives_what_its_points_give_alone() -> None:
    random = np.random.default_rng(7)
    lon, lat = random.uniform(-180, 180, 50_000), random.uniform(-95, 95, 50_000)
    codes = beidou.encode(lon, lat, 5)
    some = slice(None, None, 997)
    alone = [beidou.encode([x], [y], 5)[0] for x, y in zip(lon[some], lat[some], strict=True)]
    np.testing.assert_array_equal(codes[some], alone)
