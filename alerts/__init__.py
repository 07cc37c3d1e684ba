"""What a value means for the people on duty: (rules, state, values or feedback) → (state, transitions).

`evidence` is what windows say; `ladder` turns it into levels 0 (none), 1 blue, 2 yellow, 3 orange, 4 red;
`levels` keeps them for all areas of one indicator and finds the transitions; `level_log` and `timeline` are
its memory for corrections and early judgement (`timeline_columns`: in a snapshot); `transitions` are the
records others read; `incidents` turns them into work. Pure: no clock, no input, no output.
"""
