"""Updating a widget where its content has changed: what is drawn again in vain costs as much as what is new."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


def put(box: Static, content: Content, *, layout: bool = True) -> None:
    """Show this, unless it stands there already. `layout` is whether the widget's size may follow from it."""
    before = box.content
    if not isinstance(before, Content) or not before.is_same(content):
        box.update(content, layout=layout)
