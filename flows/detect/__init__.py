"""Scores of one recorded series."""
