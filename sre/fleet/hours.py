"""Time as people live it: time zones, working days and holidays."""

import re
from datetime import date
from functools import cache
from importlib import resources
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from sre.explain import objection
from sre.source import show, suggest

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CLOCK = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"


def _clock(text: str) -> str:
    if not re.fullmatch(_CLOCK, text):
        raise objection(
            f"{show(text)} is not a time of day", 'write hours and minutes, from "00:00" to "24:00"'
        )
    return text


def _day(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise objection(f"{show(value)} is not a date", "write year, month and day: 2026-12-25") from None
    return value


def _zone(text: str) -> str:
    if text not in zones():
        raise objection(
            f"the time zone {show(text)} is not known",
            suggest(text, zones()) if "/" in text else "write an IANA name like Europe/Berlin",
            "business hours, daylight saving and billing months follow it",
        )
    return text


@cache
def zones() -> frozenset[str]:
    """IANA names of the pinned tzdata package: the machine's own zone files are never asked."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def zone_info(name: str) -> ZoneInfo:
    """The zone's rules from the pinned tzdata package. ``name`` is one of ``zones()``."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


Zone = Annotated[str, AfterValidator(_zone)]
Clock = Annotated[str, AfterValidator(_clock), WithJsonSchema({"type": "string", "pattern": _CLOCK})]
Day = Annotated[date, BeforeValidator(_day)]


class BusinessHours(BaseModel):
    """When people are expected to use the fleet, in the fleet's time zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: tuple[Weekday, ...] = Field(
        default=WEEK[:5], min_length=1, description="the working days", examples=[["mon", "tue"]]
    )
    start: Clock = Field(default="08:00", description="the first minute that counts", examples=["08:00"])
    end: Clock = Field(
        default="18:00", description="the first minute that no longer counts", examples=["18:00"]
    )
    holidays: tuple[Day, ...] = Field(
        default=(), description="dates without business hours, in local time", examples=[["2026-12-25"]]
    )

    @property
    def start_minute(self) -> int:
        """Minutes after local midnight."""
        return _minutes(self.start)

    @property
    def end_minute(self) -> int:
        """Minutes after local midnight; 1440 for 24:00."""
        return _minutes(self.end)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
