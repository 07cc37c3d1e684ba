"""GeoJSON feature collections as they are found: bytes → features and the name of their coordinate system."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec

MAX_FILE = 256 << 20
"""Largest file of areas or cells, in bytes."""


class AreaFileError(ValueError):
    """A file of areas or cells that cannot be used.

    >>> AreaFileError("areas.geojson", ["feature 0: has no id"]).errors
    ['feature 0: has no id']
    """

    def __init__(self, source: str, errors: list[str]) -> None:
        self.source = source
        self.errors = errors
        listed = "\n  ".join(errors)
        super().__init__(f"{source} is refused; correct it and load it again:\n  {listed}")

    def __reduce__(self) -> tuple[type["AreaFileError"], tuple[str, list[str]]]:
        """Pickle by the two arguments, so that a worker process can hand the error back."""
        return type(self), (self.source, self.errors)


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its place in the file, its properties and its geometry, both as written."""

    index: int
    properties: dict[str, Any]
    geometry: dict[str, Any] | None

    def text(self, *names: str) -> str:
        """The first of these properties that is a text or a number, as text; "" without any.

        >>> Feature(0, {"adcode": 420106}, None).text("id", "adcode")
        '420106'
        """
        for name in names:
            value = self.properties.get(name)
            if isinstance(value, int | str) and not isinstance(value, bool) and str(value).strip():
                return str(value).strip()
            if isinstance(value, float) and value.is_integer():
                return str(int(value))
        return ""


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """A feature collection, the declared coordinate system, and what to call it in messages."""

    source: str
    crs: str
    features: tuple[Feature, ...]


def read_features(path: str | PathLike[str]) -> FeatureFile:
    """The features of a GeoJSON FeatureCollection.

    The coordinate system is the legacy member "crs" (a name, or {"type": "name", "properties": {"name": …}}),
    else "wgs84". Raises AreaFileError for anything but a feature collection with features, OSError for an
    unreadable file.
    """
    source = Path(path).name
    size = Path(path).stat().st_size
    if size > MAX_FILE:
        raise AreaFileError(source, [f"has {size} bytes, at most {MAX_FILE} are read: simplify its outlines"])
    try:
        document = msgspec.json.decode(Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AreaFileError(source, [f"is no JSON: {error}"]) from error
    except RecursionError as error:
        raise AreaFileError(source, ["nests too deeply for GeoJSON"]) from error
    return parse_features(document, source)


def parse_features(document: object, source: str = "GeoJSON") -> FeatureFile:
    """The same from a decoded document.

    >>> parse_features({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}]}).crs
    'wgs84'
    """
    found = document if isinstance(document, dict) else {}
    listed = found.get("features")
    if found.get("type") != "FeatureCollection" or not isinstance(listed, list) or not listed:
        kind = found.get("type", type(document).__name__)
        raise AreaFileError(source, [f"must be a GeoJSON FeatureCollection with features, found {kind!r}"])
    wrong = [f"feature {i}: is no GeoJSON Feature" for i, item in enumerate(listed) if not _is_feature(item)]
    if wrong:
        raise AreaFileError(source, wrong)
    features = (
        Feature(i, item.get("properties") or {}, item.get("geometry")) for i, item in enumerate(listed)
    )
    return FeatureFile(source, _crs_name(found.get("crs"), source), tuple(features))


def _is_feature(item: object) -> bool:
    return (
        isinstance(item, dict)
        and item.get("type") == "Feature"
        and isinstance(item.get("properties") or {}, dict)
        and isinstance(item.get("geometry") or {}, dict)
    )


def _crs_name(declared: object, source: str) -> str:
    if declared is None:
        return "wgs84"
    if isinstance(declared, dict):
        properties = declared.get("properties")
        declared = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(declared, str) and declared.strip():
        return declared.strip()
    raise AreaFileError(
        source, ['"crs" has no name: write it like {"type": "name", "properties": {"name": "EPSG:4490"}}']
    )
