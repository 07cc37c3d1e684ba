"""Scoring: (what happened, what was alerted) → recall, precision, time to detect; and a picture of both."""
