"""What the city's people report: the 24 types of events, how often, by whom, and what becomes of them.

Rates are cases per 10,000 inhabitants and day, of the magnitude large Chinese cities publish (12345 about 20,
110 about 8, 120 about 1.2); shares of what goes wrong lie on the good side of the catalogue's blue levels,
where a well-run city stands. Both are plausible, not measured. Deadlines are the catalogue's.
"""

from dataclasses import dataclass, field

MINUTE = 60_000
"""One minute in ms."""

HOUR = 60 * MINUTE

DESK = ("reported", "accepted", "dispatched", "arrived", "handled", "verified", "closed", "feedback")
"""The whole loop: collect, analyse and judge, push, verify, feed back."""

RESCUE = ("reported", "accepted", "dispatched", "arrived", "handled", "closed")
"""Somebody must be there in minutes."""

COUNTER = ("reported", "accepted", "handled", "closed", "feedback")
"""Handled where it was handed in."""

NOTICE = ("reported",)
"""Known and counted, not handled: visits, cases of illness, findings."""

ENTRY = ("closed",)
"""An entry in a register."""


AWAKE = (("work", 0.4), ("shop", 0.2), ("travel", 0.25), ("leisure", 0.15))
"""Activities of people who are not asleep, as a rhythm of reports."""


@dataclass(frozen=True, slots=True)
class Chances:
    """Shares of cases to which something happens.

    ``rejected`` instead of accepted; ``returned`` by the department and dispatched again; ``rework`` after
    handling; ``overdue`` closed after the deadline; ``slow_dispatch`` over half an hour after acceptance;
    ``slow_arrival`` later than the target; ``skipped`` closed without verification; ``feedback`` asked for
    their opinion, ``bad`` of these not satisfied.
    """

    rejected: float = 0.01
    returned: float = 0.03
    rework: float = 0.001
    overdue: float = 0.002
    slow_dispatch: float = 0.002
    slow_arrival: float = 0.002
    skipped: float = 0.001
    feedback: float = 0.0
    bad: float = 0.008


@dataclass(frozen=True, slots=True)
class Course:
    """The way of a case.

    ``limit_h``: hours from report to closing for severity 1 (halved with every degree). ``accept_min``,
    ``dispatch_min``: medians of the first two steps. ``arrive_min``: median from report to arrival where
    somebody hurries there, ``target_min`` what is asked; then ``clear_min`` is the median from arrival to
    closing and ``limit_h`` does not count.
    """

    steps: tuple[str, ...] = DESK
    limit_h: float = 24.0
    accept_min: float = 6.0
    dispatch_min: float = 8.0
    arrive_min: float = 0.0
    target_min: float = 0.0
    clear_min: float = 60.0
    chances: Chances = field(default_factory=Chances)

    @property
    def rescue(self) -> bool:
        """Whether minutes to arrival count rather than hours to closing."""
        return self.arrive_min > 0


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event.

    ``daily``: cases per 10,000 inhabitants and day (of ``wet`` types: while the streets stand under 0.1 m of
    water). ``rhythm``: weights of the city's activities the reports follow. ``near``: metric of the sensors
    beside which cases arise, "" for any. ``places``: institutions per 100,000 inhabitants where they arise, 0
    where ``near`` says; ``by_district``: one office in every district instead. ``least_daily``: cases per day
    in the whole city, however few its sensors. ``channels``: who reports, with shares. ``severity``: shares
    of degrees 1 to 4. ``ill``: reports follow how much illness there is.
    """

    code: str
    daily: float
    course: Course
    channels: tuple[tuple[str, float], ...]
    department: str
    rhythm: tuple[tuple[str, float], ...] = AWAKE
    near: str = ""
    places: float = 0.0
    by_district: bool = False
    least_daily: float = 0.0
    severity: tuple[float, float, float, float] = (0.55, 0.30, 0.12, 0.03)
    wet: bool = False
    ill: bool = False

    @property
    def short(self) -> str:
        """The code without ``ev_``, with hyphens, as identifiers of cases begin.

        >>> EVENT_TYPES["ev_grid_case"].short
        'grid-case'
        """
        return self.code.removeprefix("ev_").replace("_", "-")


_DAYTIME = (("work", 0.6), ("shop", 0.2), ("travel", 0.2))
_OFFICE = (("work", 1.0),)
_ROAD = (("travel", 1.0),)
_ALWAYS = (("home", 0.25), ("shop", 0.15), ("leisure", 0.15), ("travel", 0.2), ("work", 0.25))

_DOMESTIC = Chances(rejected=0.01, feedback=0.6)
_ALARMS = Chances(rejected=0.01)
_DOUBTFUL = Chances(rejected=0.9)

_TYPES = (
    EventType(
        "ev_grid_case",
        8.0,
        Course(chances=_DOMESTIC),
        (("grid_member", 0.7), ("camera", 0.2), ("citizen_app", 0.1)),
        "市城管执法委",
        rhythm=_DAYTIME,
    ),
    EventType(
        "ev_hotline",
        20.0,
        Course(limit_h=120.0, accept_min=10.0, dispatch_min=12.0, chances=Chances(feedback=0.7)),
        (("12345", 0.8), ("wechat", 0.15), ("web", 0.05)),
        "市政府办公厅",
        severity=(0.8, 0.15, 0.04, 0.01),
    ),
    EventType(
        "ev_enterprise_appeal",
        0.3,
        Course(limit_h=72.0, accept_min=30.0, dispatch_min=20.0, chances=_DOMESTIC),
        (("enterprise_platform", 1.0),),
        "市发展改革委",
        rhythm=_OFFICE,
    ),
    EventType(
        "ev_gov_service",
        30.0,
        Course(COUNTER, limit_h=120.0, accept_min=15.0, chances=Chances(overdue=0.0005, feedback=0.2)),
        (("window", 0.4), ("online", 0.6)),
        "市政务服务和大数据管理局",
        rhythm=_OFFICE,
        places=1.5,
        severity=(1.0, 0.0, 0.0, 0.0),
    ),
    EventType(
        "ev_traffic_accident",
        0.8,
        Course(RESCUE, accept_min=1.0, arrive_min=9.0, target_min=20.0, clear_min=35.0, chances=_ALARMS),
        (("122", 0.8), ("camera", 0.2)),
        "市公安局交通管理局",
        rhythm=_ROAD,
        near="road_speed",
    ),
    EventType(
        "ev_road_breakdown",
        0.5,
        Course(RESCUE, accept_min=1.0, arrive_min=12.0, target_min=30.0, clear_min=25.0, chances=_ALARMS),
        (("122", 0.6), ("camera", 0.4)),
        "市公安局交通管理局",
        rhythm=_ROAD,
        near="road_speed",
    ),
    EventType(
        "ev_manhole",
        0.015,
        Course(limit_h=4.0, accept_min=3.0, dispatch_min=4.0, chances=Chances(rejected=0.05)),
        (("grid_member", 0.6), ("12345", 0.4)),
        "市城管执法委",
        rhythm=_DAYTIME,
        near="manhole_open",
    ),
    EventType(
        "ev_dispute",
        0.4,
        Course(limit_h=168.0, accept_min=30.0, dispatch_min=15.0, chances=_DOMESTIC),
        (("community", 0.7), ("110", 0.3)),
        "市委政法委",
        rhythm=(("home", 0.4), ("shop", 0.4), ("leisure", 0.2)),
    ),
    EventType(
        "ev_police_call",
        8.0,
        Course(RESCUE, accept_min=1.0, arrive_min=4.5, target_min=10.0, clear_min=40.0, chances=_ALARMS),
        (("110", 1.0),),
        "市公安局",
        rhythm=_ALWAYS,
    ),
    EventType(
        "ev_fire_alarm",
        0.05,
        Course(RESCUE, accept_min=0.5, arrive_min=2.4, target_min=5.0, clear_min=60.0, chances=_ALARMS),
        (("119", 1.0),),
        "市消防救援支队",
        rhythm=_ALWAYS,
    ),
    EventType(
        "ev_ems_call",
        1.2,
        Course(RESCUE, accept_min=1.0, arrive_min=7.0, target_min=15.0, clear_min=45.0, chances=_ALARMS),
        (("120", 1.0),),
        "市卫生健康委",
        rhythm=_ALWAYS,
    ),
    EventType(
        "ev_elevator_entrapment",
        0.03,
        Course(RESCUE, accept_min=1.0, arrive_min=9.0, target_min=20.0, clear_min=15.0, chances=_ALARMS),
        (("96333", 1.0),),
        "市市场监管局",
        rhythm=_ALWAYS,
    ),
    EventType(
        "ev_utility_outage",
        0.02,
        Course(limit_h=8.0, accept_min=3.0, dispatch_min=5.0, chances=_ALARMS),
        (("95598", 0.5), ("12345", 0.5)),
        "市城管执法委",
        severity=(0.9, 0.08, 0.02, 0.0),
    ),
    EventType(
        "ev_gas_leak",
        0.008,
        Course(RESCUE, accept_min=1.0, arrive_min=14.0, target_min=30.0, clear_min=45.0, chances=_ALARMS),
        (("gas_company", 0.8), ("119", 0.2)),
        "市城管执法委",
        rhythm=_ALWAYS,
        near="gas_lel",
    ),
    EventType(
        "ev_waterlogging",
        6.0,
        Course(limit_h=4.0, accept_min=2.0, dispatch_min=3.0, chances=_ALARMS),
        (("grid_member", 0.5), ("12345", 0.5)),
        "市水务局",
        near="ponding_depth",
        wet=True,
    ),
    EventType(
        "ev_fever_visit",
        1.5,
        Course(NOTICE),
        (("hospital", 1.0),),
        "市卫生健康委",
        places=0.5,
        ill=True,
    ),
    EventType(
        "ev_ili_case",
        0.05,
        Course(NOTICE),
        (("school", 0.7), ("nursing_home", 0.3)),
        "市卫生健康委",
        rhythm=_OFFICE,
        places=30.0,
        ill=True,
    ),
    EventType(
        "ev_foodborne_case",
        0.02,
        Course(NOTICE),
        (("hospital", 1.0),),
        "市卫生健康委",
        rhythm=_ALWAYS,
        places=5.0,
    ),
    EventType(
        "ev_lab_positive",
        0.4,
        Course(NOTICE),
        (("laboratory", 1.0),),
        "市卫生健康委",
        rhythm=_OFFICE,
        places=0.3,
        ill=True,
    ),
    EventType(
        "ev_forest_smoke",
        0.002,
        Course(RESCUE, accept_min=3.0, arrive_min=15.0, target_min=30.0, clear_min=60.0, chances=_DOUBTFUL),
        (("forest_camera", 1.0),),
        "市园林和林业局",
        rhythm=_DAYTIME,
        near="thermal_spot_temperature",
    ),
    EventType(
        "ev_satellite_hotspot",
        0.0005,
        Course(RESCUE, accept_min=8.0, arrive_min=30.0, target_min=60.0, clear_min=90.0, chances=_DOUBTFUL),
        (("satellite", 1.0),),
        "市园林和林业局",
        rhythm=_DAYTIME,
        near="thermal_spot_temperature",
    ),
    EventType(
        "ev_market_open",
        0.8,
        Course(ENTRY),
        (("registry", 1.0),),
        "市市场监管局",
        rhythm=_OFFICE,
        by_district=True,
        least_daily=104.0,
    ),
    EventType(
        "ev_market_close",
        0.15,
        Course(ENTRY),
        (("registry", 1.0),),
        "市市场监管局",
        rhythm=_OFFICE,
        by_district=True,
        least_daily=20.0,
    ),
    EventType(
        "ev_safety_hazard",
        0.6,
        Course(limit_h=168.0, accept_min=20.0, dispatch_min=20.0, chances=Chances(rejected=0.01)),
        (("inspection", 0.8), ("enterprise", 0.2)),
        "市应急管理局",
        rhythm=_OFFICE,
    ),
)

EVENT_TYPES = {t.code: t for t in _TYPES}
"""All types by code, in the order of the catalogue."""
