"""Units for reading: the catalogue's are UCUM codes, people know other signs for some of them."""

_SIGNS = {"1": "", "Cel": " °C", "[ppth]": " ‰", "%{LEL}": " % LEL"}


def with_unit(number: str, unit: str) -> str:
    """A number with its unit as people write it.

    >>> with_unit("35.9", "%{LEL}"), with_unit("0.3", "m"), with_unit("7", "1"), with_unit("2", "{event}/h")
    ('35.9 % LEL', '0.3 m', '7', '2 event/h')
    """
    sign = _SIGNS.get(unit)
    return number + (f" {unit}".replace("{", "").replace("}", "") if sign is None else sign)
