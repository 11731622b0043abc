"""Names of our screens and widgets that are Textual's own: an attribute `_closed` once closed a screen for good."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap

import pytest
from textual.message_pump import MessagePump
from textual.screen import Screen

import playpen_tui.screens
import playpen_tui.widgets
from playpen_tui.app import PlaypenApp


def assigned(cls: type) -> set[str]:
    """Private names that methods of this class set on `self`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and node.attr.startswith("_")
    }


def ours() -> list[type]:
    """Every widget, screen and app of this program."""
    found: set[type] = {PlaypenApp}
    for package in (playpen_tui.screens, playpen_tui.widgets):
        for module in pkgutil.iter_modules(package.__path__):
            members = vars(importlib.import_module(f"{package.__name__}.{module.name}")).values()
            found |= {m for m in members if isinstance(m, type) and issubclass(m, MessagePump)}
    return sorted((m for m in found if m.__module__.startswith("playpen_tui")), key=lambda m: m.__qualname__)


def taken(cls: type) -> set[str]:
    """Names that are Textual's own in the classes above this one."""
    above = [base for base in cls.__mro__ if base.__module__.startswith("textual")]
    return {name for base in above for name in (*vars(base), *assigned(base))}


@pytest.mark.parametrize("cls", ours(), ids=lambda cls: cls.__qualname__)
def test_no_attribute_of_ours_is_textuals(cls):
    assert not assigned(cls) & taken(cls)


def test_the_check_catches_the_name_that_closed_a_screen():
    class Careless(Screen[None]):
        def shut(self) -> None:
            self._closed = True

    assert "_closed" in assigned(Careless) & taken(Careless)
