"""Widgets of the house: all of them show text from outside as plain text."""
