"""Three calm themes: dark, light, and one whose good and bad stay apart for colour-blind eyes.

Meaning never rests on colour alone: every mark has a glyph and a word beside it (see `GLYPHS`).
"""

from __future__ import annotations

from textual.theme import Theme

GLYPHS = {"success": "✓", "failure": "✗", "aborted": "⊘", "draw": "≈", None: "…"}
"""Glyph of an outcome; None is an unfinished episode."""

DARK = Theme(
    name="playpen-dark",
    primary="#8fb8de",
    secondary="#8a94a6",
    accent="#e0a458",
    foreground="#d8dee4",
    background="#14171b",
    surface="#1a1e23",
    panel="#22272e",
    success="#5fa8d3",
    warning="#e0a458",
    error="#d9705f",
    dark=True,
    variables={"footer-key-foreground": "#e0a458", "input-cursor-background": "#e0a458", "border": "#3a424d"},
)

LIGHT = Theme(
    name="playpen-light",
    primary="#2a5d8c",
    secondary="#667080",
    accent="#a8610f",
    foreground="#22272e",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e8e5de",
    success="#1f6fa8",
    warning="#a8610f",
    error="#b3402e",
    dark=False,
    variables={"footer-key-foreground": "#a8610f", "input-cursor-background": "#a8610f", "border": "#c9c4ba"},
)

CONTRAST = Theme(
    name="playpen-cb",
    primary="#56b4e9",
    secondary="#b0b8c4",
    accent="#f0e442",
    foreground="#ffffff",
    background="#000000",
    surface="#0c0e11",
    panel="#1c2026",
    success="#0072b2",
    warning="#e69f00",
    error="#d55e00",
    dark=True,
    variables={"footer-key-foreground": "#f0e442", "input-cursor-background": "#f0e442", "border": "#6b7684"},
)

THEMES = (DARK, LIGHT, CONTRAST)
