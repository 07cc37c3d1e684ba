"""The kinds of areas, smallest first, and how a uid carries its kind."""

from enum import IntEnum

KIND_BITS = 3
"""A uid's low bits hold its kind, so that a uid is unique over all kinds."""


class AreaKind(IntEnum):
    """Kinds of areas; `locate` gives 1 to 4 as its columns.

    >>> AreaKind.STREET.label, AreaKind.of("district")
    ('street', <AreaKind.DISTRICT: 3>)
    """

    CELL = 0
    COMMUNITY = 1
    STREET = 2
    DISTRICT = 3
    CITY = 4

    @property
    def label(self) -> str:
        """The name in records: "cell", "community", "street", "district", "city"."""
        return self.name.lower()

    @classmethod
    def of(cls, label: str) -> "AreaKind":
        """The kind of a label. Raises ValueError for others."""
        for kind in cls:
            if kind.label == label:
                return kind
        msg = f"kind must be one of {', '.join(kind.label for kind in cls)}, found {label!r}"
        raise ValueError(msg)
