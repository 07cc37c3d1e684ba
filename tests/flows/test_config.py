"""A configuration is taken whole, or every fault in it is named: key, what was found, what would do."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs
from typer.testing import CliRunner

from flows.cli import app
from flows.config.configuration import PATHS, Configuration
from flows.config.file import ConfigurationError, about, load, toml, unknown_keys, wanted
from flows.config.kafka import SECRETS, KafkaSection, kafka_settings
from flows.config.reference import example, reference
from sinks.kafka_link import check
from sinks.kafka_types import KafkaSettings

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = [
    (section.name, field)
    for section in structs.fields(Configuration)
    for field in structs.fields(section.type)
]
NAMES = [f"{section}.{field.name}" for section, field in OPTIONS]


def faults(text: str, tmp_path: Path) -> tuple[str, ...]:
    path = tmp_path / "city.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    return caught.value.faults


@pytest.mark.parametrize(("section", "field"), OPTIONS, ids=NAMES)
def test_every_option_has_a_meaning_in_both_languages_and_an_example_that_is_taken(
    section: str, field: structs.FieldInfo
) -> None:
    said = about(field)
    assert said["en"].endswith(".")
    assert said["zh"].endswith("。")
    assert tomllib.loads(f"x = {toml(said['example'])}")["x"] == said["example"]
    assert msgspec.convert(said["example"], field.type) == said["example"], section
    assert wanted(field)


def test_the_example_has_every_option() -> None:
    table = tomllib.loads(example())
    assert [f"{section}.{name}" for section, options in table.items() for name in options] == NAMES


def test_the_reference_in_docs_is_the_one_the_types_give() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == reference()


def test_defaults_are_those_of_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "city.toml"
    path.write_text("")
    assert load(path) == Configuration()


FAULTS = {
    "a section that is misspelt": ("[citi]\nid = 'x'", ["citi: ", "did you mean city?"]),
    "a key that is misspelt": (
        "[engine]\nidle_afer = 5",
        ["engine.idle_afer", "found 5", "engine.idle_after?"],
    ),
    "a text for a number": ("[prometheus]\nport = '9464'", ["prometheus.port", "'9464'", "port = 9464"]),
    "a number out of its limits": ("[city]\ngrid_level = 9", ["city.grid_level", "from 3 to 6", "found 9"]),
    "a word not on the list": ("[engine]\nclock = 'sun'", ["engine.clock", "'source' or 'wall'", "'sun'"]),
    "a kind not on the list": ("[history]\nkinds = ['town']", ["history.kinds", "'town'", "'street'"]),
    "a value for a section": ("city = 1", ["city: expected a section", "found 1", "[city]"]),
    "a zone nobody knows": ("[city]\ntz = 'Moon/Base'", ["city.tz", "'Moon/Base'"]),
    "half a pair": ("[city]\ngrid = 'g.geojson'", ["city.grid", "grid_code_field"]),
    "a duration that is none": ("[history]\nkeep = 'long'", ["history.keep", "'long'", "30d"]),
    "a secret in the file": (
        "[kafka]\nsettings = {'sasl.password' = 'pw'}",
        ["kafka.settings: sasl.password is a secret", "YIWANG_KAFKA_PASSWORD in the environment"],
    ),
    "a setting that has an option": (
        "[kafka.settings]\n'group.id' = 'x'",
        ["kafka.settings: group.id has an option of its own", "write group = ..."],
    ),
    "a setting of the engine": (
        "[kafka.settings]\n'enable.auto.commit' = true",
        ["kafka.settings: enable.auto.commit is set by the engine", "remove it"],
    ),
    "a broker with a protocol": (
        "[kafka]\nbootstrap_servers = 'b:9092,http://c:80/'",
        ["kafka.bootstrap_servers", "'http://c:80/'", "HOST:PORT"],
    ),
    "SASL without a mechanism": (
        "[kafka]\nsecurity = 'sasl_ssl'",
        ["kafka.mechanism", "give both or neither"],
    ),
    "a certificate without its key": ("[kafka]\ncertificate = 'c.pem'", ["kafka.certificate", "give both"]),
    "no TOML at all": ("[city", ["is no TOML"]),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_named_with_what_was_found_and_what_would_do(case: str, tmp_path: Path) -> None:
    text, expected = FAULTS[case]
    (fault,) = faults(text, tmp_path)
    assert [part for part in expected if part not in fault] == []


def test_secrets_come_from_the_environment_and_are_not_shown() -> None:
    section = KafkaSection(
        bootstrap_servers="b:9092",
        security="sasl_ssl",
        mechanism="SCRAM-SHA-512",
        user="yiwang",
        settings={"socket.keepalive.enable": True},
    )
    settings = kafka_settings(section, {"YIWANG_KAFKA_PASSWORD": "very secret"})
    assert dict(settings.options) == {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "yiwang",
        "sasl.password": "very secret",
        "socket.keepalive.enable": True,
    }
    assert "very secret" not in repr(settings)
    check(settings)


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_is_one_that_librdkafka_knows(name: str) -> None:
    try:
        check(KafkaSettings("b:9092", {name: "x"}))
    except ValueError as error:
        assert "No such configuration property" not in str(error)  # noqa: PT017 - it may also be taken


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    found = faults("[citi]\n[engine]\nclok = 1\npace = 'x'\n[prometheus]\nport = 0\n", tmp_path)
    assert [fault.split(":")[0] for fault in found] == [
        "citi",
        "engine.clok",
        "engine.pace",
        "prometheus.port",
    ]


@given(st.sampled_from(OPTIONS), st.data())
def test_a_key_with_one_wrong_letter_is_traced_to_its_neighbour(
    option: tuple[str, structs.FieldInfo], data: st.DataObject
) -> None:
    section, field = option
    place = data.draw(st.integers(0, len(field.name) - 1))
    wrong = field.name[:place] + "q" + field.name[place + 1 :]
    assume(wrong != field.name)
    (fault,) = unknown_keys({section: {wrong: 1}})
    assert "did you mean" in fault
    assert fault.startswith(f"{section}.{wrong}: ")


def test_paths_are_taken_from_the_folder_of_the_file_and_options_as_given(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "city.toml"
    path.write_text("[files]\nreadings = ['a.jsonl', '/b.jsonl']\n[city]\nsensors = 's.csv'\n")
    found = load(path, {"engine.out": "o", "engine.recovery": None, "city.areas": "a.geojson"})
    folder = str(tmp_path / "deep")
    assert found.files.readings == [f"{folder}/a.jsonl", "/b.jsonl"]
    assert found.city.sensors == f"{folder}/s.csv"
    assert (found.city.areas, found.engine.out, found.engine.recovery) == ("a.geojson", "o", None)


def test_the_paths_are_options_that_exist() -> None:
    assert {f"{section}.{name}" for section, name in PATHS} <= set(NAMES)


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["config", *map(str, arguments)], env={"COLUMNS": "300"})


def test_the_command_checks_a_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(example())
    bad.write_text("[engine]\nclok = 1\n")
    assert command("check", good).exit_code == 0
    result = command("check", bad, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        "engine.clok: there is no such key; found 1; did you mean engine.clock?"
    ]
    assert "engine.clok" in result.stderr


def test_the_command_names_paths_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "city.toml"
    path.write_text("[city]\nsensors = 's.csv'\nareas = 'a.geojson'\n")
    (tmp_path / "a.geojson").touch()
    result = command("check", path)
    assert result.exit_code == 0
    assert f"city.sensors: there is no such file or folder; found {tmp_path}/s.csv" in result.stderr
    assert "city.areas" not in result.stderr
    assert "nothing else wrong" in result.stderr


def test_the_command_writes_the_schemas(tmp_path: Path) -> None:
    assert command("schemas", tmp_path / "here").exit_code == 0
    names = {path.name for path in (tmp_path / "here").iterdir()}
    assert names == {path.name for path in (ROOT / "docs" / "schemas").iterdir()}


def test_the_command_prints_example_and_reference() -> None:
    assert command("example").stdout == example()
    assert command("docs").stdout == reference()
