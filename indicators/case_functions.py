"""Rows of the function table: sets of cases, and values of their cases.

>>> [f.name for f in CASES][:3]
['entered', 'open', 'due']
"""

from indicators.expression import Kind
from indicators.signatures import Function, Parameter, Role, Takes

_EVENTS = Parameter("event", Takes.EVENT, many=True)
_SINCE = Parameter("since", Takes.STATUS)
_C = Parameter("c", Takes.CASES)
_S = Parameter("status", Takes.STATUS)


def _cases(name: str, role: Role, en: str, zh: str, example: str, *parameters: Parameter) -> Function:
    return Function(name, "cases", parameters, Kind.CASES, role, "K", en, zh, example)


CASES: tuple[Function, ...] = (
    _cases(
        "entered",
        Role.SET,
        "cases with a transition into a listed status inside the window, each once",
        "窗口内进入所列状态的案件，每件计一次",
        "entered(ev_hotline, 'reported')",
        _EVENTS,
        Parameter("status", Takes.STATUS, many=True),
        Parameter("window", Takes.DURATION, None, keyword=True),
        Parameter("without", Takes.STATUS, None, keyword=True),
    ),
    _cases(
        "open",
        Role.SET,
        "at the window's end: reported, not rejected, not closed",
        "窗口末时已上报、未作废、未结案的案件",
        "open(ev_gas_leak)",
        _EVENTS,
        Parameter("since", Takes.STATUS, None, keyword=True),
        Parameter("before", Takes.STATUS, None, keyword=True),
    ),
    _cases(
        "due",
        Role.SET,
        "cases whose deadline t(since) + SLA (or `within`) lies inside the window",
        "时限（since 时刻 + SLA 或 within）落在窗口内的案件",
        "due(ev_grid_case, since='accepted')",
        _EVENTS,
        _SINCE,
        Parameter("within", Takes.DURATION, None, keyword=True),
    ),
    _cases(
        "took",
        Role.NUMBER,
        "seconds from the first a to the first b not before it; to closing or now if there is none",
        "自首次 a 至其后首次 b 的秒数；无 b 则至结案或当前",
        "took(entered(ev_elevator_entrapment, 'reported'), 'reported', 'arrived')",
        _C,
        Parameter("a", Takes.STATUS),
        Parameter("b", Takes.STATUS),
    ),
    _cases(
        "reached",
        Role.FLAG,
        "flag: the status was entered",
        "标志：已进入该状态",
        "reached(due(ev_grid_case, since='accepted'), 'closed')",
        _C,
        _S,
    ),
    _cases(
        "ontime",
        Role.FLAG,
        "flag: first entered not after the deadline",
        "标志：首次进入该状态不晚于时限",
        "ontime(due(ev_hotline, since='reported'), 'closed')",
        _C,
        _S,
    ),
    _cases(
        "overdue",
        Role.FLAG,
        "flag: past the deadline",
        "标志：已超时限",
        "overdue(open(ev_grid_case, since='accepted'))",
        _C,
    ),
    _cases(
        "in_order",
        Role.FLAG,
        "flag: the transitions contain the list in time order, equal times allowed",
        "标志：按时间顺序依次经过所列状态（允许同时）",
        "in_order(entered(ev_hotline, 'closed'), 'reported', 'accepted', 'closed')",
        _C,
        Parameter("status", Takes.STATUS, many=True),
    ),
    _cases(
        "severity",
        Role.NUMBER,
        "latest known severity, 1 if never given",
        "最新严重程度，未给出为 1",
        "severity(open(ev_utility_outage))",
        _C,
    ),
    _cases(
        "by_type",
        Role.NUMBER,
        "a number per event type, unknown for others",
        "按事件类型取数，其余为未知",
        "by_type(open(ev_fire_alarm, ev_ems_call), ev_fire_alarm=300, ev_ems_call=900)",
        _C,
        Parameter("numbers", Takes.PER_EVENT),
    ),
)
"""Sets of cases and case values."""
