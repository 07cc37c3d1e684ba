"""Why a value of a replay is what it is."""
