"""Sinks: items -> commands -> side effect. Here: the files that a replay leaves behind.

The stream carries ``(key, item)``. A sink of this package has a fixed number of parts, each appending to
files of its own under ``OUT/.parts``; at the end `finalise` turns the parts into the files of the contract.
"""

from sinks.digits import significant
from sinks.line_files import LineFiles, plain_line, reject_line
from sinks.outputs import Totals, finalise, prepare
from sinks.table_file import KINDS, STATUSES, ValueFrame, ValueTable

__all__ = [
    "KINDS",
    "STATUSES",
    "LineFiles",
    "Totals",
    "ValueFrame",
    "ValueTable",
    "finalise",
    "plain_line",
    "prepare",
    "reject_line",
    "significant",
]
