"""The play screen, driven by keys: both roles, what breaks a rule, stop and retry, two people, the end."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from players.base import PlayerError
from playpen_tui.app import PlaypenApp
from playpen_tui.screens.dialogs import Choose, Curtain, TextDialog
from playpen_tui.screens.home import HomeScreen
from playpen_tui.screens.play import PlayScreen
from playpen_tui.sitting import Setup
from playpen_tui.widgets.composer import Composer, Line

from .conftest import screen_text, until  # noqa: TID252
