"""The log: one SQLite file that holds every episode, who said what, and what each role had heard."""
