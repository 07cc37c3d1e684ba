"""`yiwang grid` (C-2.5): arguments and CSV in, codes, CSV and JSON out, exit codes 0, 1 and 2."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from flows.commands.grid import app
from geo import beidou, coordinates


def grid(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def rows(result: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_a_point_becomes_its_code() -> None:
    result = grid("encode", "116.3126027778", "39.9931611111", "--level", "10")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "N50J47539B8255346152\n", "")


@given(st.floats(-180, 180), st.floats(-87.9, 87.9), st.sampled_from(range(1, 11)))
def test_negative_numbers_are_no_options(lon: float, lat: float, level: int) -> None:
    result = grid("encode", str(lon), str(lat), "--level", str(level))
    assert result.stdout.strip() == beidou.code(lon, lat, level)


def test_a_code_becomes_its_centre() -> None:
    result = grid("decode", "N50J47539B8")
    assert (result.exit_code, result.stdout) == (0, "116.312777778,39.992777778\n")


def test_json_is_a_list_of_objects() -> None:
    encoded = grid("encode", "-93.2389718", "-64.8158728", "--json")
    assert json.loads(encoded.stdout) == [{"lon": -93.2389718, "lat": -64.8158728, "code": "S15Q612E85E"}]
    decoded = grid("decode", "N50J", "--json")
    assert json.loads(decoded.stdout) == [{"lon": 117.0, "lat": 38.0, "code": "N50J"}]


def test_a_csv_keeps_its_columns_and_gains_one() -> None:
    result = grid("encode", stdin='id,lat,lon\n007,39.9931611111,116.3126027778\n"a, b", -0.5 ,-1e-3\n')
    assert result.exit_code == 0
    assert rows(result) == [
        {"id": "007", "lat": "39.9931611111", "lon": "116.3126027778", "code": "N50J47539B8"},
        {"id": "a, b", "lat": " -0.5 ", "lon": "-1e-3", "code": "S30A0100000"},
    ]


def test_encoded_csv_decodes_to_the_same_codes() -> None:
    encoded = grid("encode", "--level", "10", stdin="lon,lat\n114.3,30.6\n-0.1,-51.5\n179.999999,0\n")
    decoded = grid("decode", stdin="code\n" + "\n".join(row["code"] for row in rows(encoded)))
    again = grid("encode", "--level", "10", stdin=decoded.stdout)
    assert [row["code"] for row in rows(again)] == [row["code"] for row in rows(encoded)]


def test_codes_of_mixed_levels_decode_together() -> None:
    result = grid("decode", "--json", stdin="code\nN50J47539B8\nN50J\n")
    assert [place["lon"] for place in json.loads(result.stdout)] == [116.312777778, 117.0]


def test_input_in_a_chinese_datum_is_undone() -> None:
    lon, lat = coordinates.from_wgs84(114.3, 30.6, "bd09")
    result = grid("encode", str(lon), str(lat), "--crs", "bd09", "--level", "8")
    assert result.stdout.strip() == beidou.code(114.3 + 1e-9, 30.6 + 1e-9, 8)


def test_a_header_alone_gives_a_header() -> None:
    assert grid("encode", stdin="lon,lat\n").stdout == "lon,lat,code\n"


def test_rows_without_a_code_are_left_empty_and_told() -> None:
    result = grid("encode", stdin="lon,lat\n114.3,30.6\n114.3,88\n,30\nx,1\n")
    assert result.exit_code == 1
    assert [row["code"] for row in rows(result)] == ["N50H0513600", "", "", ""]
    assert "3 of 4 rows left empty (rows 2, 3, 4)" in result.stderr
    listed = grid("decode", "--json", stdin="code\nnonsense\n")
    assert json.loads(listed.stdout) == [{"lon": None, "lat": None, "code": "nonsense"}]
    assert listed.exit_code == 1


@pytest.mark.parametrize("command", ["encode", "decode"])
@pytest.mark.parametrize("stdin", ["", "name\nx\n", "lon,lat,code\n1,2,3,4,5\n"])
def test_input_that_is_no_such_csv_fails(command: str, stdin: str) -> None:
    result = grid(command, stdin=stdin)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Error: " in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "114.3"],
        ["encode", "114.3", "88"],
        ["encode", "nan", "30"],
        ["encode", "east", "30"],
        ["encode", "114.3", "30.6", "7"],
        ["encode", "114.3", "30.6", "--level", "11"],
        ["encode", "114.3", "30.6", "--crs", "wgs"],
        ["encode", "114.3", "30.6", "--levels", "5"],
        ["decode", "N50x"],
        ["decode", "N50J", "N51J"],
        ["recode"],
    ],
    ids=" ".join,
)
def test_wrong_use_exits_with_2_and_says_why(arguments: list[str]) -> None:
    result = grid(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error" in result.stderr
