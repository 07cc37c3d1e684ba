"""Area files: GeoJSON of communities, streets, districts and the city → `PolygonAreas`."""

from dataclasses import dataclass, replace
from os import PathLike

from geo.area_kinds import KIND_BITS, AreaKind
from geo.area_polygons import NOWHERE, Area, DrawnLevel, PolygonAreas
from geo.cells import CellSystem
from geo.geojson import AreaFileError, Feature, FeatureFile, read_features
from geo.polygons import PolygonIndex, Shape, read_shapes

_DRAWN = (AreaKind.COMMUNITY, AreaKind.STREET, AreaKind.DISTRICT)
_KIND = (1 << KIND_BITS) - 1
# GB/T 2260 codes of districts, and the street and community codes that lengthen them.
_KIND_BY_DIGITS = {6: AreaKind.DISTRICT, 9: AreaKind.STREET, 12: AreaKind.COMMUNITY}


@dataclass(frozen=True, slots=True)
class AreaFile:
    """An area file: its areas, the city's (name_zh, name_en), and a line for each mended geometry."""

    layout: PolygonAreas
    city_names: tuple[str, str]
    repairs: list[str]


def read_areas(path: str | PathLike[str], cells: CellSystem) -> AreaFile:
    """The areas of a GeoJSON file.

    Properties: `id` (or `adcode`), `name_zh` (or `name`), `name_en`, `kind` (or `level`; without either, ids
    of 6, 9 and 12 digits are districts, streets and communities) and `parent` (an id, or an object with
    `adcode`). A city feature gives its names only; cells are passed over. A parent that is no feature becomes
    an area without a polygon. Raises AreaFileError with every reason why the file cannot be used, OSError for
    an unreadable file.
    """
    file = read_features(path)
    kinds, errors = _kinds(file)
    drawn = replace(file, features=tuple(f for f in file.features if kinds.get(f.index) in _DRAWN))
    try:
        shapes, repairs = read_shapes(drawn, _id, "id or adcode")
    except AreaFileError as error:
        raise AreaFileError(file.source, errors + error.errors) from error
    areas = [_area(feature, kinds[feature.index]) for feature in drawn.features]
    by_id, more = _with_parents(areas)
    if errors or more:
        raise AreaFileError(file.source, errors + more)
    city = next((_area(f, AreaKind.CITY) for f in file.features if kinds[f.index] is AreaKind.CITY), None)
    names = (city.name_zh, city.name_en) if city else ("", "")
    return AreaFile(_layout(cells, areas, by_id, shapes), names, repairs)


def _kinds(file: FeatureFile) -> tuple[dict[int, AreaKind], list[str]]:
    kinds, errors = {}, []
    for feature in file.features:
        try:
            kinds[feature.index] = _kind(feature)
        except ValueError as error:
            errors.append(f"{_id(feature) or f'feature {feature.index}'}: {error}")
    if not errors and not set(kinds.values()) & set(_DRAWN):
        errors.append("has no community, street or district")
    return kinds, errors


def _kind(feature: Feature) -> AreaKind:
    label = feature.text("kind", "level")
    found = _kind_by_code(_id(feature))
    return found if found and not label else AreaKind.of(label)


def _kind_by_code(code: str) -> AreaKind | None:
    if not (code.isascii() and code.isdecimal()):
        return None
    # A 6-digit code that ends in 00 is a city's: districts are numbered from 01.
    return AreaKind.CITY if len(code) == 6 and code.endswith("00") else _KIND_BY_DIGITS.get(len(code))


def _id(feature: Feature) -> str:
    return feature.text("id", "adcode")


def _area(feature: Feature, kind: AreaKind) -> Area:
    text = _id(feature)
    name_zh = feature.text("name_zh", "name") or text
    above = feature.properties.get("parent")
    holder = Feature(feature.index, above, None) if isinstance(above, dict) else None
    parent = _id(holder) if holder else feature.text("parent")
    return Area(text, kind, name_zh, feature.text("name_en") or name_zh, parent)


def _with_parents(areas: list[Area]) -> tuple[dict[str, Area], list[str]]:
    """(areas by id, with those that are only named as parents; errors)."""
    by_id = {area.id: area for area in areas}
    errors = []
    for area in areas:
        if not area.parent or area.kind is AreaKind.DISTRICT:
            continue
        kind = (
            by_id[area.parent].kind
            if area.parent in by_id
            else _kind_by_code(area.parent) or AreaKind(area.kind + 1)
        )
        if kind <= area.kind:
            errors.append(f"{area.id}: a {area.kind.label} cannot lie in the {kind.label} {area.parent}")
        elif kind is not AreaKind.CITY:
            by_id.setdefault(area.parent, Area(area.parent, kind, area.parent, area.parent))
    return by_id, errors


def _layout(
    cells: CellSystem, areas: list[Area], by_id: dict[str, Area], shapes: dict[str, Shape]
) -> PolygonAreas:
    def level(kind: AreaKind) -> DrawnLevel:
        of_kind = sorted((area for area in areas if area.kind is kind), key=lambda area: area.id)
        return DrawnLevel.of(of_kind, PolygonIndex([shapes[area.id] for area in of_kind]), by_id)

    levels = level(AreaKind.COMMUNITY), level(AreaKind.STREET), level(AreaKind.DISTRICT)
    bare = PolygonAreas.of(cells, {NOWHERE.uid: NOWHERE}, levels)
    placed = [replace(area, parent=_parent(area, by_id)) for area in by_id.values()]
    return replace(bare, areas=bare.areas | {area.uid: area for area in _found_parents(placed, bare, by_id)})


def _parent(area: Area, by_id: dict[str, Area]) -> str:
    """The declared parent where it is an area below the city, else ""."""
    return area.parent if area.kind is not AreaKind.DISTRICT and area.parent in by_id else ""


def _found_parents(areas: list[Area], layout: PolygonAreas, by_id: dict[str, Area]) -> list[Area]:
    """Areas with the parents that polygons show, where none are declared."""
    names = {area.uid: area.id for area in by_id.values()}
    found: dict[int, str] = {}
    for level in (layout.communities, layout.streets):
        if len(level.uids):
            around = layout.around(*level.index.inner_points())
            for uid, row in zip(level.uids.tolist(), around.tolist(), strict=True):
                larger = [names[above] for above in row if above in names and above & _KIND > uid & _KIND]
                found[uid] = larger[0] if larger else ""
    return [replace(area, parent=area.parent or found.get(area.uid, "")) for area in areas]
