"""Wordle and its two relatives: alone, with a clue, and with a critic who is asked before a guess counts."""
