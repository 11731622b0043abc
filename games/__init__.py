"""Rules of dialogue games: pure, typed, seeded. No I/O, no screen, no model."""
