"""Taboo: one describes a word without three forbidden ones, the other guesses it in three rounds."""
