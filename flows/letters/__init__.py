"""Dead letters: listed, corrected, put back once."""
