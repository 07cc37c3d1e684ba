"""What options of the configuration can be, and what is said of each."""

from typing import Annotated, Literal

from msgspec import Meta

Kind = Literal["cell", "community", "street", "district", "city"]
Holidays = Literal["none", "cn"]
LogFormat = Literal["console", "json"]
LogLanguage = Literal["zh", "en"]
LogLevel = Literal["debug", "info", "warning", "error"]
ClockMode = Literal["wall", "source"]

Name = Annotated[str, Meta(min_length=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0, le=600)]
Count = Annotated[int, Meta(ge=1)]
Workers = Annotated[int, Meta(ge=1, le=64)]
Lanes = Annotated[int, Meta(ge=1, le=64)]
GridLevel = Annotated[int, Meta(ge=3, le=6)]
Port = Annotated[int, Meta(ge=1, le=65_000)]


def said(en: str, zh: str, example: object) -> Meta:
    """What the reference says of an option."""
    return Meta(description=en, examples=[example], extra={"zh": zh})
