"""Importers of public recordings: a folder as published → records of the wire format and a report.

An importer is a function ``(source, to, shift, progress) → Report`` in a module of its own, which says what
becomes of every column. `records` is what they share, `shift` moves a data set to another city, `local_time`
knows when clocks change.
"""
