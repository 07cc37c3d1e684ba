"""Recorded files through the flow, in one process or several."""
