"""The checks that every game must pass, as a library: `check(game)` plays it through and says what is wrong.

A game is dealt, played by its own bots and by adversaries, replayed, stored and read back; every fault becomes a
`Finding`. `CHECKS` lists what is looked at. `fuzz` throws any number of replies at a game and is the last of them.
"""

from __future__ import annotations

from games.conformance.fuzz import Report
from games.conformance.kit import CHECKS, check, fuzz
from games.conformance.lab import Finding
from games.conformance.replies import ADVERSARIES, Adversary, Repertoire
from games.conformance.rules import Check

__all__ = ["ADVERSARIES", "CHECKS", "Adversary", "Check", "Finding", "Repertoire", "Report", "check", "fuzz"]
