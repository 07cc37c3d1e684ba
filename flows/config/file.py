r"""city.toml → `Configuration`, or everything that is wrong with it: key, what was found, what would do.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp(), "city.toml")
>>> _ = path.write_text('[prometheus]\nprot = 9464\n')
>>> load(path)
Traceback (most recent call last):
flows.config.file.ConfigurationError: city.toml: prometheus.prot: there is no such key; found ...
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import inspect, structs

from flows.config.configuration import PATHS, Configuration
from flows.config.kafka import faults as kafka_faults
from indicators.durations import milliseconds
from indicators.toml_text import TomlError, read_toml

Table = dict[str, Any]

_SECTIONS = {field.encode_name: field for field in structs.fields(Configuration)}
_SHOWN = 60


class ConfigurationError(ValueError):
    """A configuration that cannot be used.

    Attributes:
        faults: one message per fault, each naming a key, what was found and what to do.
    """

    def __init__(self, name: str, faults: Sequence[str]) -> None:
        super().__init__("\n".join(f"{name}: {fault}" for fault in faults))
        self.faults = tuple(faults)


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Configuration:
    """The configuration of a file, with options given elsewhere (``section.key`` → value, None: not given).

    Paths of the file are taken from its folder, those of ``overrides`` as they are.

    Raises:
        ConfigurationError: it cannot be read, or something in it is wrong; all faults at once.
    """
    name = path.name if path else "options"
    table = read(path) if path else {}
    faults = unknown_keys(table)
    if path:
        _resolve(table, path.resolve().parent)
    for key, value in (overrides or {}).items():
        if value is not None:
            section, option = key.split(".")
            inside = table.setdefault(section, {})
            if isinstance(inside, dict):
                inside[option] = value
    faults += wrong_values(table)
    if faults:
        raise ConfigurationError(name, faults)
    return msgspec.convert(table, Configuration)


def missing(configuration: Configuration) -> list[str]:
    """One message for each path of ``[city]`` that is not there: the engine does not start without them."""
    named = [(name, getattr(configuration.city, name)) for section, name in PATHS if section == "city"]
    return [
        f"city.{name}: there is no such file or folder; found {path}; mend the path"
        for name, path in named
        if path is not None and not Path(path).exists()
    ]


def read(path: Path) -> Table:
    """The tables of a TOML file.

    Raises:
        ConfigurationError: there is none, or it is no TOML in UTF-8.
    """
    try:
        return read_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        fault = f"cannot be read ({error.strerror}); give the path of a configuration, such as city.toml"
        raise ConfigurationError(str(path), [fault]) from error
    except (UnicodeDecodeError, TomlError) as error:
        raise ConfigurationError(path.name, [f"is no TOML in UTF-8 ({error}); mend that place"]) from error


def unknown_keys(table: Table) -> list[str]:
    """Faults for all sections and keys that do not exist, each with the nearest that does.

    >>> unknown_keys({"citi": {}, "city": {"tz": "UTC"}})
    ['citi: there is no such section; found {}; did you mean city?']
    """
    faults = []
    for section, content in table.items():
        if section not in _SECTIONS:
            hint = _hint(section, list(_SECTIONS))
            faults.append(f"{section}: there is no such section; found {_shown(content)}; {hint}")
        elif isinstance(content, dict):
            known = [f"{section}.{field.encode_name}" for field in structs.fields(_SECTIONS[section].type)]
            named = {f"{section}.{key}": value for key, value in content.items()}
            faults += [
                f"{key}: there is no such key; found {_shown(value)}; {_hint(key, known)}"
                for key, value in named.items()
                if key not in known
            ]
    return faults


def wrong_values(table: Table) -> list[str]:
    """Faults for all values of known keys that cannot be used.

    >>> wrong_values({"prometheus": {"port": "9464"}})
    ["prometheus.port: expected a whole number from 1 to 65000; found '9464'; write e.g. port = 9464"]
    """
    faults = []
    for section, content in table.items():
        if section not in _SECTIONS:
            continue
        if not isinstance(content, dict):
            faults.append(
                f"{section}: expected a section; found {_shown(content)}; write [{section}] on a line"
            )
            continue
        for field in structs.fields(_SECTIONS[section].type):
            if field.name in content:
                fault = _fault(field, content[field.name])
                faults += [f"{section}.{field.name}: {fault}"] if fault else []
    return faults or _unfit(msgspec.convert(_known(table), Configuration))


def _known(table: Table) -> Table:
    return {
        section: {
            f.name: content[f.name] for f in structs.fields(_SECTIONS[section].type) if f.name in content
        }
        for section, content in table.items()
        if section in _SECTIONS
    }


def _fault(field: structs.FieldInfo, value: object) -> str | None:
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        written = toml(about(field)["example"])
        return f"expected {wanted(field)}; found {value!r}; write e.g. {field.name} = {written}"
    return None


def _unfit(found: Configuration) -> list[str]:
    """Faults that no single type shows."""
    faults = []
    try:
        ZoneInfo(found.city.tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        faults.append(f"city.tz: there is no such time zone; found {found.city.tz!r}; write e.g. tz = 'UTC'")
    if (found.city.grid is None) != (found.city.grid_code_field is None):
        given = "city.grid" if found.city.grid else "city.grid_code_field"
        faults.append(
            f"{given}: city.grid and city.grid_code_field go together; found one; give both or none"
        )
    url = found.redis.url
    if url is not None and url != "embedded" and "://" not in url:
        example = "write e.g. url = 'redis://127.0.0.1:6379/0', or embedded"
        faults.append(f"redis.url: expected the address of a server; found {url!r}; {example}")
    faults += kafka_faults(found.kafka)
    if found.history.keep is not None:
        try:
            milliseconds(found.history.keep)
        except ValueError:
            example = "write e.g. keep = '30d'"
            faults.append(f"history.keep: expected a duration; found {found.history.keep!r}; {example}")
    return faults


def _resolve(table: Table, folder: Path) -> None:
    """Take the paths in ``table`` from ``folder``."""
    for section, option in PATHS:
        content = table.get(section)
        value = content.get(option) if isinstance(content, dict) else None
        if isinstance(value, str) and value:
            table[section][option] = str(folder / value)
        elif isinstance(value, list):
            table[section][option] = [str(folder / one) if isinstance(one, str) else one for one in value]


# -- what the types say of an option -----------------------------------------------------------------


def about(field: structs.FieldInfo) -> dict[str, Any]:
    """Description, Chinese description and example of an option, from its annotation."""
    meta = next(one for one in get_args(field.type)[1:] if one.description)
    return {"en": meta.description, "zh": (meta.extra or {})["zh"], "example": (meta.examples or [])[0]}


def wanted(field: structs.FieldInfo) -> str:
    """What an option takes, in words.

    >>> [wanted(f) for f in structs.fields(_SECTIONS["engine"].type) if f.name in {"clock", "pace", "out"}]
    ['a text', "'source' or 'wall'", 'a number above 0']
    """
    return _words(inspect.type_info(field.type))


def _words(info: inspect.Type) -> str:
    if isinstance(info, inspect.Metadata):
        return _words(info.type)
    if isinstance(info, inspect.UnionType):
        return _words(next(one for one in info.types if not isinstance(one, inspect.NoneType)))
    if isinstance(info, inspect.LiteralType):
        *most, last = (repr(value) for value in info.values)
        return f"{', '.join(most)} or {last}"
    if isinstance(info, (inspect.IntType, inspect.FloatType)):
        return ("a whole number" if isinstance(info, inspect.IntType) else "a number") + _limits(info)
    if isinstance(info, inspect.ListType):
        return f"a list, each {_words(info.item_type)}"
    return _plain(info)


def _plain(info: inspect.Type) -> str:
    if isinstance(info, inspect.DictType):
        of_numbers = isinstance(info.value_type, inspect.FloatType)
        return "a table of numbers" if of_numbers else "a table of texts, numbers or true and false"
    return "true or false" if isinstance(info, inspect.BoolType) else "a text"


def _limits(info: inspect.IntType | inspect.FloatType) -> str:
    if info.ge is not None and info.le is not None:
        return f" from {info.ge} to {info.le}"
    found = ((" of at least", info.ge), (" above", info.gt), (" up to", info.le))
    return ",".join(f"{word} {limit:g}" for word, limit in found if limit is not None)


def toml(value: object) -> str:
    """A value as TOML writes it.

    >>> toml({"a": 1.5}), toml(["x", "y"]), toml(True)
    ('{a = 1.5}', '["x", "y"]', 'true')
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return msgspec.json.encode(value).decode()


def _key(name: str) -> str:
    bare = name.replace("_", "").replace("-", "").isalnum() and name.isascii()
    return name if bare else msgspec.json.encode(name).decode()


def _hint(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
