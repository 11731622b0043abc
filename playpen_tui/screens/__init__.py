"""Screens: layout and wiring only. What they do is done below them."""
