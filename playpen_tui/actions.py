"""One registry of actions: key bindings, footer, command palette and help are all read off it.

A screen names its place (`home`, `play`, …) and gets its bindings from `bindings`; the method behind an action is
`action_<name>` on that screen or on the app. No key is defined anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can do. `keys` is comma-separated; `name` the method `action_<name>` without arguments."""

    place: str
    name: str
    keys: str
    label: str
    help: str
    footer: bool = True
    priority: bool = False
    key_label: str | None = None

    @property
    def shown_key(self) -> str:
        """The key as help and footer print it."""
        if self.key_label:
            return self.key_label
        first = self.keys.split(",")[0]
        return {"question_mark": "?", "escape": "esc", "f1": "F1"}.get(first, first)


ACTIONS: tuple[Action, ...] = (
    Action("app", "help", "question_mark,f1", "help", "What can be done here, with its keys"),
    Action("app", "command_palette", "ctrl+p", "more", "Search everything that can be done", priority=True),
    Action("app", "next_theme", "f8", "theme", "Next theme: dark, light, high contrast", footer=False),
    Action("app", "save_picture", "f12", "picture", "Save this screen as an SVG picture here", footer=False),
    Action("app", "leave", "ctrl+q", "quit", "Leave; every turn so far is in the log", footer=False, priority=True),
    Action("home", "start", "enter", "play", "Start the game on top: the same as last time, with a new instance"),
    Action("home", "pick", "p", "another", "Choose game, seat and partner"),
    Action("home", "spectate", "s", "spectate", "Watch the latest run, or the latest episodes again"),
    Action("home", "models", "m", "models", "Models: list, try, add, change and remove them"),
    Action("home", "refresh", "r", "refresh", "Read the log again", footer=False),
    Action("home", "leave", "q", "quit", "Leave"),
    Action("pick", "start", "enter", "play", "Sit down with what is chosen"),
    Action("pick", "next_column", "right,tab", "next", "Go to the next column", key_label="→"),
    Action("pick", "previous_column", "left,shift+tab", "back", "Go to the column before", footer=False, key_label="←"),
    Action("pick", "back", "escape", "home", "Back to Home"),
    Action("models", "play", "enter", "play", "Choose a game to play with this one"),
    Action("models", "test", "t", "test", "Try it: does it answer, stream, and stop"),
    Action("models", "add", "a", "add", "Register a model; filled in from the one chosen, where that is served here"),
    Action("models", "edit", "e", "edit", "Change this entry, or make one of your own from it"),
    Action("models", "remove", "d", "remove", "Take this entry out of your registry"),
    Action("models", "look", "r", "look again", "Read the registry and look for servers again"),
    Action("models", "copy", "y", "copy", "Copy the spec, as one would type it", footer=False),
    Action("models", "scroll", "f6", "scroll", "Move between the list and the details", footer=False),
    Action("models", "back", "escape", "home", "Stop the test, or back to Home"),
    Action("form", "save", "enter,ctrl+s", "save", "Write the entry into your registry"),
    Action("form", "next_field", "down", "next", "To the next field"),
    Action("form", "previous_field", "up", "back", "To the field before"),
    Action("form", "choose", "right,space", "other", "The next of a few choices", key_label="→"),
    Action("form", "choose_back", "left", "before", "The choice before", key_label="←"),
    Action("form", "fill", "ctrl+o", "fill in", "Fill in from a model that is served on this machine"),
    Action("form", "close", "escape", "close", "Close the form; what was typed is kept for the next time"),
    Action("spectate", "eyes", "v", "eyes", "Look through the next eyes: game master, each seat, both"),
    Action("spectate", "unzoom", "z", "all", "Back to all matches; 1 to 8 open one"),
    Action("spectate", "still", "space", "hold", "Hold the picture; what is played goes on"),
    Action("spectate", "pause", "p", "pause", "Hold this match, or the replay; p again goes on"),
    Action("spectate", "step_back", "left_square_bracket,left", "back", "A ply back", key_label="["),
    Action("spectate", "step", "right_square_bracket,right", "step", "A ply forward", key_label="]"),
    Action("spectate", "to_start", "home", "start", "To the beginning of the replay", footer=False),
    Action("spectate", "to_end", "end", "end", "To the end of the replay", footer=False),
    Action("spectate", "slower", "minus", "slower", "Half the pace", footer=False, key_label="-"),
    Action("spectate", "faster", "plus", "faster", "Twice the pace", footer=False, key_label="+"),
    Action("spectate", "stop_match", "x", "stop match", "Leave this match unfinished in the log"),
    Action(
        "spectate", "seat", "t", "take a seat", "Take a seat in mid-game, give it to another player, or hand it back"
    ),
    Action("spectate", "bookmark", "b", "bookmark", "Tag this episode in the log, or take the tag off"),
    Action("spectate", "resume", "r", "resume", "Go on with this run here"),
    Action("spectate", "copy", "y", "copy", "Copy the dialogue as text", footer=False),
    Action("spectate", "away", "escape", "leave", "Close this match, or leave the stands"),
    Action("line", "submit", "enter", "send", "Say what is written", key_label="enter"),
    Action("play", "stop", "escape", "stop", "Stop a model that is at work; ctrl+r asks it again"),
    Action("play", "away", "escape", "leave", "Clear the draft, or leave: the game waits in the log"),
    Action("play", "retry", "ctrl+r", "retry", "Ask again whose turn it is, after a stop or an error"),
    Action("play", "rules", "f2", "rules", "The rules of this game"),
    Action("play", "seats", "f3", "seats", "Give a seat to another player in mid-game, take it, or hand it back"),
    Action("play", "focus_dialogue", "f6", "scroll", "Move between the writing line and the dialogue", footer=False),
    Action("play", "copy", "ctrl+y", "copy", "Copy the dialogue as text", footer=False),
    Action("end", "again", "a", "again", "The same instance once more"),
    Action("end", "swap", "w", "swap roles", "The same instance, roles exchanged"),
    Action("end", "next_instance", "n,enter", "next", "The next instance"),
    Action("end", "pick", "g", "another game", "Choose another game"),
    Action("end", "home", "escape,h", "home", "Back to Home"),
    Action("curtain", "lift", "enter,space", "lift", "Lift the curtain"),
    Action("dialog", "back", "escape", "close", "Close this"),
)


def of(place: str) -> list[Action]:
    """The actions of one place, in order."""
    return [action for action in ACTIONS if action.place == place]


def bindings(*places: str) -> list[Binding]:
    """Textual bindings of some places, with ids that a user's keymap can override."""
    return [
        Binding(
            action.keys,
            action.name,
            action.label,
            show=action.footer,
            priority=action.priority,
            key_display=action.shown_key,
            id=f"{action.place}.{action.name}",
            tooltip=action.help,
        )
        for place in places
        for action in of(place)
    ]
