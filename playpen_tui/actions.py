"""One registry of actions: key bindings, footer, command palette and help are all read off it.

A screen names its place (`home`, `play`, …) and gets its bindings from `bindings`; the method behind an action is
`action_<name>` on that screen or on the app. No key is defined anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can do. `keys` is comma-separated; `name` the method `action_<name>` without arguments.

    Keys with `priority`, and those in `always`, reach it also through dialogs and while somebody writes.
    """

    place: str
    name: str
    keys: str
    label: str
    help: str
    footer: bool = True
    priority: bool = False
    key_label: str | None = None
    always: str = ""

    @property
    def shown_key(self) -> str:
        """The key as help and footer print it."""
        if self.key_label:
            return self.key_label
        first = self.keys.split(",")[0]
        return {"question_mark": "?", "escape": "esc", "f1": "F1"}.get(first, first)


NEXT_CHART = "The next curve; in a zoomed one, the value to the right"
CHART_BEFORE = "The curve before; in a zoomed one, the value to the left"

CHOOSE = "Ask for the next reply of a model twice and choose which goes on; again: every reply; again: off"

TAKE = "Take a seat in mid-game, give it to another player, or hand it back"

AGAINST = "Where people prefer what came to less in the games"

ACTIONS: tuple[Action, ...] = (
    Action("app", "help", "question_mark", "help", "What can be done here, with its keys", always="f1"),
    Action("app", "command_palette", "ctrl+p", "more", "Search everything that can be done", priority=True),
    Action("app", "next_theme", "f8", "theme", "Next theme: dark, light, high contrast", footer=False, priority=True),
    Action(
        "app", "save_picture", "f12", "picture", "Save this screen as an SVG picture here", footer=False, priority=True
    ),
    Action("app", "leave", "ctrl+q", "quit", "Leave; every turn so far is in the log", footer=False, priority=True),
    Action(
        *("home", "start", "enter", "play", "Start the game on top: the same as last time, with a new instance"),
        footer=False,
    ),
    Action("home", "pick", "p", "another", "Choose game, seat and partner", footer=False),
    Action("home", "spectate", "s", "spectate", "Choose a run or an episode to watch"),
    Action("home", "new_run", "n", "self-play", "Let models play many matches with each other", footer=False),
    Action("home", "annotate", "a", "annotate", "Annotate: the queues of pairs that wait to be judged"),
    Action("home", "browse", "b", "browse", "Browse: find, read, compare and tag the episodes of the log"),
    Action("home", "train", "t", "train", "Trainings: watch those that run, begin one, compare their curves"),
    Action("home", "results", "e", "evaluate", "Results: how much and how well each model played, and who is better"),
    Action("home", "models", "m", "models", "Models: list, try, add, change and remove them"),
    Action("home", "against", "d", "disagreement", AGAINST, footer=False),
    Action("home", "refresh", "r", "refresh", "Read the log again", footer=False),
    Action("home", "leave", "q", "quit", "Leave", footer=False),
    Action("pick", "start", "enter", "play", "Sit down with what is chosen"),
    Action("pick", "next_column", "right,tab", "next", "Go to the next column", key_label="→"),
    Action("pick", "previous_column", "left,shift+tab", "back", "Go to the column before", footer=False, key_label="←"),
    Action("pick", "back", "escape", "home", "Back to Home"),
    Action("models", "play", "enter", "play", "Choose a game to play with this one"),
    Action("models", "test", "t", "test", "Try it: does it answer, stream, and stop"),
    Action("models", "add", "a", "add", "Register a model; filled in from the one chosen, where that is served here"),
    Action("models", "edit", "e", "edit", "Change this entry, or make one of your own from it"),
    Action("models", "remove", "d", "remove", "Take this entry out of your registry"),
    Action("models", "look", "r", "look again", "Read the registry and look for servers again", footer=False),
    Action("models", "copy", "y", "copy", "Copy the spec, as one would type it", footer=False),
    Action("models", "scroll", "f6", "scroll", "Move between the list and the details", footer=False),
    Action("models", "stop", "escape", "stop", "Stop the test that runs"),
    Action("models", "back", "escape", "home", "Back to Home"),
    Action("study", "go_on", "enter", "go on", "Go on where you are"),
    Action("study", "leave", "escape", "leave", "Leave; everything so far is kept, and the same command goes on"),
    Action("form", "save", "enter,ctrl+s", "save", "Write the entry into your registry"),
    Action("form", "next_field", "down", "next", "To the next field"),
    Action("form", "previous_field", "up", "back", "To the field before"),
    Action("form", "choose", "right,space", "other", "The next of a few choices", key_label="→"),
    Action("form", "choose_back", "left", "before", "The choice before", key_label="←"),
    Action("form", "fill", "ctrl+o", "fill in", "Fill in from a model that is served on this machine"),
    Action("form", "close", "escape", "close", "Close the form; what was typed is kept for the next time"),
    Action("stands", "open", "enter", "watch", "Watch the run or episode under the cursor"),
    Action("stands", "filter", "slash", "filter", "Filter the list; typing does it, too", key_label="/"),
    Action("stands", "new", "ctrl+n", "new run", "Let models play many matches with each other"),
    Action("stands", "look", "ctrl+r", "look again", "Read the log again", footer=False),
    Action("stands", "back", "escape", "home", "Show all again, or back to Home"),
    Action("spectate", "open", "z", "open", "Open a match with its number; z opens the first", key_label="1-8"),
    Action("spectate", "eyes", "v", "eyes", "Look through the next eyes: game master, each seat, both", footer=False),
    Action("spectate", "still", "space", "hold", "Hold the picture; what is played goes on, and is counted"),
    Action("spectate", "pause", "p", "pause", "Hold this match, or the replay; p again goes on", always="f7"),
    Action("spectate", "go_on", "p", "go on", "Let this match, or the replay, go on", always="f7"),
    Action("spectate", "step_back", "left_square_bracket,left", "back", "A ply back", footer=False, key_label="["),
    Action("spectate", "step", "right_square_bracket,right", "step", "A ply forward; [ goes back", key_label="[ ]"),
    Action("spectate", "to_start", "home", "start", "To the beginning of the replay", footer=False, priority=True),
    Action("spectate", "to_end", "end", "end", "To the end of the replay", footer=False, priority=True),
    Action("spectate", "slower", "minus", "slower", "Half the pace", footer=False, key_label="-"),
    Action("spectate", "faster", "plus", "faster", "Twice the pace", footer=False, key_label="+"),
    Action("spectate", "stop_match", "x", "stop", "Leave this match unfinished in the log"),
    Action("spectate", "seat", "t", "seat", TAKE, always="f3"),
    Action("spectate", "bookmark", "b", "bookmark", "Tag this episode in the log, or take the tag off"),
    Action("spectate", "choose", "c", "choose", CHOOSE, footer=False),
    Action("spectate", "resume", "r", "resume", "Go on with this run here"),
    Action("spectate", "copy", "y", "copy", "Copy the dialogue as text", footer=False),
    Action("spectate", "unzoom", "escape,z", "all", "Back to all matches; so does z"),
    Action("spectate", "away", "escape", "leave", "Leave the stands"),
    Action(
        *("spectate", "interrupt", "ctrl+c", "end", "Let the matches under way end; once more stops them at once"),
        footer=False,
        priority=True,
    ),
    Action("spectate", "copy_text", "ctrl+c", "copy", "Copy the text that is marked with the mouse", footer=False),
    Action("results", "episodes", "space,enter", "episodes", "The episodes behind this row", key_label="enter"),
    Action("results", "head", "h", "versus", "Head to head: this model against another on the same instances"),
    Action("results", "by", "b", "by", "By game, by experiment, by role"),
    Action("results", "measure", "m", "measure", "The difference in quality, in games played, in success"),
    Action("results", "next_pair", "n", "next pair", "The next two models"),
    Action("results", "text", "t", "text", "As markdown, which is copied too"),
    Action("results", "export", "e", "export", "Into a file here, as JSON, CSV or markdown"),
    Action("results", "back", "escape", "back", "From head to head to the table, from there to where you came from"),
    Action("episodes", "read", "enter", "read", "Open this episode: who saw what, scores, where it comes from"),
    Action("episodes", "watch", "w", "watch", "Watch this episode again"),
    Action("episodes", "copy", "y", "copy", "Copy the id"),
    Action("episodes", "back", "escape", "close", "Back to the table"),
    Action("trace", "go", "enter", "go there", "Follow this one further"),
    Action("trace", "read", "r", "read", "Open the chosen episode: who saw what, scores, where it comes from"),
    Action("trace", "watch", "w", "watch", "Watch the chosen episode again"),
    Action("trace", "copy", "y", "copy id", "Copy the id"),
    Action("trace", "back", "escape,backspace", "back", "A step back; from the first one away"),
    Action("queues", "judge", "space,enter", "judge", "Judge what waits in this queue", key_label="enter"),
    Action("queues", "disputed", "d", "disputed", "Decide what people judged differently"),
    Action("queues", "agreement", "t", "agreement", "How well judges agree, with each other and with themselves"),
    Action("queues", "against", "g", "against", AGAINST),
    Action("queues", "new", "n", "new", "Make a queue of pairs from the log"),
    Action("queues", "guidelines", "i", "guidelines", "What judges go by, with its version", footer=False),
    Action("queues", "shut", "x", "close", "Let no more verdicts in, or let them in again", footer=False),
    Action("queues", "look", "ctrl+r", "look again", "Read the log again", footer=False),
    Action("queues", "back", "escape", "home", "Back to Home"),
    Action("annotate", "left", "1", "left", "The left one is better", footer=False),
    Action("annotate", "right", "2", "right", "The right one is better", footer=False),
    Action(
        *("annotate", "left_much", "exclamation_mark,shift+1", "left, much", "The left one is much better"),
        footer=False,
        key_label="!",
    ),
    Action(
        *("annotate", "right_much", "at,shift+2,quotation_mark", "right, much", "The right one is much better"),
        footer=False,
        key_label="@",
    ),
    Action("annotate", "tie", "3,t", "tie", "Equally good", footer=False),
    Action("annotate", "bad", "4,b", "both bad", "Neither will do", footer=False),
    Action("annotate", "skip", "s,space", "skip", "Not for you to say; it waits for others", footer=False),
    Action("annotate", "flag", "f", "flag", "Put a flag on this item, or take it off", footer=False),
    Action("annotate", "comment", "c", "comment", "Write a comment; it goes out with the verdict", footer=False),
    Action("annotate", "undo", "u,backspace", "undo", "Take the last verdict back, then the one before", footer=False),
    Action("annotate", "diff", "d", "words", "Mark the words that differ, or do not"),
    Action("annotate", "zoom", "z", "zoom", "One of the two alone, or both"),
    Action(
        *("annotate", "swap", "tab,shift+tab", "other", "The other of the two: keys scroll it, or it is shown"),
        footer=False,
        key_label="tab",
    ),
    Action("annotate", "focus_left", "left", "left one", "Keys scroll the left one", footer=False, key_label="←"),
    Action("annotate", "focus_right", "right", "right one", "Keys scroll the right one", footer=False, key_label="→"),
    Action("annotate", "up", "up,k", "up", "A line up in it", footer=False, key_label="↑"),
    Action("annotate", "down", "down,j", "down", "A line down in it", footer=False, key_label="↓"),
    Action("annotate", "before_up", "pageup", "earlier", "Further up in what was said before", footer=False),
    Action("annotate", "before_down", "pagedown", "later", "Further down in what was said before", footer=False),
    Action("annotate", "guidelines", "i", "guidelines", "What judges go by, with its version"),
    Action("annotate", "history", "h", "history", "Open an item again that you judged, to look or to change it"),
    Action("annotate", "retry", "r", "try again", "Try again what could not be saved"),
    Action("annotate", "disputed", "d", "disputed", "Decide what people judged differently"),
    Action("annotate", "back", "escape", "leave", "Leave; all your verdicts are in the log"),
    Action("agreement", "against", "g", "disagreement", AGAINST),
    Action("agreement", "copy", "y", "copy", "Copy the tables as text"),
    Action("agreement", "back", "escape", "back", "Back to the queues"),
    Action("adjudicate", "left", "1", "left", "The left one is better", footer=False),
    Action("adjudicate", "right", "2", "right", "The right one is better", footer=False),
    Action("adjudicate", "tie", "3,t", "tie", "Equally good", footer=False),
    Action("adjudicate", "bad", "4,b", "both bad", "Neither will do", footer=False),
    Action("adjudicate", "next", "n", "next", "The next disputed item"),
    Action("adjudicate", "previous", "p", "previous", "The disputed item before"),
    Action("adjudicate", "diff", "d", "words", "Mark the words that differ, or do not"),
    Action("adjudicate", "swap", "tab,shift+tab,left,right", "other", "Keys scroll the other one", key_label="tab"),
    Action("adjudicate", "up", "up,k", "up", "A line up in it", footer=False, key_label="↑"),
    Action("adjudicate", "down", "down,j", "down", "A line down in it", footer=False, key_label="↓"),
    Action("adjudicate", "before_up", "pageup", "votes up", "Further up among the votes", footer=False),
    Action("adjudicate", "before_down", "pagedown", "votes down", "Further down among the votes", footer=False),
    Action("adjudicate", "back", "escape", "back", "Back; what was decided is in the log"),
    Action("disagreement", "open", "space,enter", "open", "The pair in full, with all votes", key_label="enter"),
    Action("disagreement", "episode", "e", "episode", "The episode in which the reply was said that people prefer"),
    Action("disagreement", "branches", "b", "branch", "What was played on from both, as a tree"),
    Action("disagreement", "queue", "q", "queue", "Only what was judged in one queue, or all"),
    Action("disagreement", "game", "g", "game", "Only one game, or all"),
    Action("disagreement", "order", "o", "order", "The strongest first, or the newest", footer=False),
    Action("disagreement", "copy", "y", "copy", "Copy the list as text", footer=False),
    Action("disagreement", "look", "ctrl+r", "look again", "Read the log again", footer=False),
    Action("disagreement", "back", "escape", "back", "Back"),
    Action("disagreed", "next", "n", "next", "The next pair"),
    Action("disagreed", "previous", "p", "previous", "The pair before", footer=False),
    Action("disagreed", "diff", "d", "words", "Mark the words that differ, or do not", footer=False),
    Action("disagreed", "swap", "tab,shift+tab,left,right", "other", "Keys go to the other one", key_label="tab"),
    Action("disagreed", "episode", "e", "episode", "The episode of the one that keys go to"),
    Action("disagreed", "branches", "b", "branch", "What was played on from both, as a tree"),
    Action("disagreed", "up", "up,k", "up", "A line up in it", footer=False, key_label="↑"),
    Action("disagreed", "down", "down,j", "down", "A line down in it", footer=False, key_label="↓"),
    Action("disagreed", "before_up", "pageup", "votes up", "Further up among the votes", footer=False),
    Action("disagreed", "before_down", "pagedown", "votes down", "Further down among the votes", footer=False),
    Action("disagreed", "back", "escape", "back", "Back to the list"),
    Action("rows", "up", "up,k", "up", "A line up", footer=False, key_label="↑"),
    Action("rows", "down", "down,j", "down", "A line down", footer=False, key_label="↓"),
    Action("rows", "page_up", "pageup", "page up", "A page up", footer=False),
    Action("rows", "page_down", "pagedown", "page down", "A page down", footer=False),
    Action("rows", "first", "home", "first", "To the first line", footer=False),
    Action("rows", "last", "end", "last", "To the last line", footer=False),
    Action("browse", "open", "enter", "open", "Read the episode under the cursor"),
    Action("browse", "edit", "slash", "query", "Write what is looked for: game:taboo score>50 words", key_label="/"),
    Action("browse", "views", "v", "views", "Views: choose one, or save what is looked for now"),
    Action("browse", "sort", "o", "order", "Another order: newest, oldest, score, turns, game"),
    Action("browse", "mark", "space", "mark", "Mark this episode, or take the mark off, and go on"),
    Action("browse", "mark_all", "a", "mark all", "Mark all that were found; once more marks none", footer=False),
    Action("browse", "compare", "equals_sign", "compare", "Lay the two marked episodes side by side", key_label="="),
    Action("browse", "tag", "t", "tag", "Put a word on the marked episodes, or on this one"),
    Action("browse", "untag", "T", "untag", "Take a word off the marked episodes, or off this one", footer=False),
    Action(
        *("browse", "trash", "d", "trash", "Put the marked episodes, or this one, into the trash, or take them out"),
        footer=False,
    ),
    Action("browse", "undo", "u", "undo", "Take the last change back: tag, untag, trash", footer=False),
    Action("browse", "drop_chip", "backspace", "less", "Take the last condition away", footer=False),
    Action("browse", "copy", "y", "copy", "Copy the ids of the marked episodes, or of this one", footer=False),
    Action("browse", "reload", "r", "read again", "Read the log again, with what has come", footer=False),
    Action("browse", "back", "escape", "home", "Leave the query line, or back to Home", footer=False),
    Action("views", "save", "s", "save", "Save what is looked for now under a name"),
    Action("views", "drop", "d", "forget", "Forget this view"),
    Action("views", "back", "escape", "close", "Close this"),
    Action("episode", "tab", "tab,right", "other page", "Next page: turns, rule checks, scores, provenance, requests"),
    Action("episode", "tab_back", "shift+tab,left", "page before", "The page before; 1 to 5 open one", footer=False),
    Action("episode", "eyes", "v", "eyes", "Read the turns through the next eyes: game master, each seat"),
    Action("episode", "next", "n", "next", "The next episode of the list"),
    Action("episode", "previous", "p", "previous", "The episode before it in the list"),
    Action("episode", "copy", "y", "copy", "Copy it as text, markdown or JSON, or write it to a file"),
    Action("episode", "watch", "w", "replay", "Watch it ply by ply in the stands"),
    Action("episode", "follow", "f", "follow", "What it comes from, and what came of it", footer=False),
    Action("episode", "tag", "t", "tag", "Put a word on this episode, or take one off"),
    Action("episode", "trash", "d", "trash", "Put it into the trash, or take it out", footer=False),
    Action("episode", "undo", "u", "undo", "Take the last change back", footer=False),
    Action("episode", "back", "escape", "list", "Back to the list"),
    Action("compare", "parting", "d", "difference", "To the first difference"),
    Action("compare", "swap", "x", "swap", "Exchange left and right"),
    Action("compare", "copy", "y", "copy", "Copy both side by side as text"),
    Action("compare", "back", "escape", "list", "Back to the list"),
    Action("trainings", "open", "space,enter", "open", "Watch this training, or what became of it", key_label="enter"),
    Action("trainings", "new", "n", "new", "Begin a training from the log"),
    Action("trainings", "overlay", "equals_sign", "compare", "Its curves beside another's", key_label="="),
    Action("trainings", "copy", "y", "copy", "Copy the id"),
    Action("trainings", "look", "ctrl+r", "look again", "Read the log again", footer=False),
    Action("trainings", "back", "escape", "home", "Back to Home"),
    Action("trainwizard", "begin", "ctrl+s", "begin", "Freeze the rows and start the training"),
    Action("trainwizard", "next_field", "down,enter", "next", "To the next field", key_label="↓"),
    Action("trainwizard", "previous_field", "up", "back", "To the field before", footer=False, key_label="↑"),
    Action("trainwizard", "choose", "right,space", "other", "The next method", key_label="→"),
    Action("trainwizard", "choose_back", "left", "before", "The method before", footer=False, key_label="←"),
    Action("trainwizard", "fill", "ctrl+o", "list", "Choose the learner or the recipe from a list, in their fields"),
    Action("trainwizard", "back", "escape", "close", "Back; nothing has begun, and what is written stays"),
    Action("training", "zoom", "z", "zoom", "This curve at full size with its values, or all again"),
    Action("training", "next_chart", "right", "curve", NEXT_CHART, key_label="← →"),
    Action("training", "previous_chart", "left", "curve", CHART_BEFORE, footer=False, key_label="←"),
    Action(
        "training",
        "filter",
        "slash",
        "filter",
        "Only curves with these letters in their name",
        footer=False,
        key_label="/",
    ),
    Action("training", "scale", "l", "log", "Logarithmic scale, or not", footer=False),
    Action("training", "smooth", "s", "smooth", "More smoothing, or none", footer=False),
    Action("training", "pause", "space", "pause", "Hold after this step, or go on"),
    Action("training", "stop", "x", "stop", "End after this step and save; r goes on from there"),
    Action("training", "save", "k", "checkpoint", "Save a checkpoint after this step", footer=False),
    Action("training", "kill", "X", "kill", "End its process at once; asks first", footer=False),
    Action("training", "resume", "r", "resume", "Go on from the last checkpoint"),
    Action("training", "evaluate", "e", "evaluate", "Base and result against each other"),
    Action("training", "watch", "w", "watch", "Watch the game under the cursor"),
    Action("training", "read", "enter", "read", "Open the game under the cursor", footer=False),
    Action("training", "preflight", "i", "pre-flight", "What was known before the first step", footer=False),
    Action("training", "words", "o", "output", "What its process printed", footer=False),
    Action(
        "training",
        "overlay",
        "equals_sign",
        "compare",
        "Its curves beside another training's",
        footer=False,
        key_label="=",
    ),
    Action("training", "follow", "f", "follow", "What it comes from, and what came of it", footer=False),
    Action("training", "copy", "y", "copy", "Copy the id", footer=False),
    Action("training", "back", "escape", "back", "Back; the training goes on"),
    Action("traincompare", "zoom", "z", "zoom", "This curve at full size with its values, or all again"),
    Action("traincompare", "next_chart", "right", "curve", NEXT_CHART, key_label="← →"),
    Action("traincompare", "previous_chart", "left", "curve", CHART_BEFORE, footer=False, key_label="←"),
    Action("traincompare", "scale", "l", "log", "Logarithmic scale, or not"),
    Action("traincompare", "smooth", "s", "smooth", "More smoothing, or none"),
    Action("traincompare", "back", "escape", "back", "Back"),
    Action("selfplay", "begin", "ctrl+s", "begin", "Start the run, and watch it"),
    Action("selfplay", "next_field", "down,enter", "next", "To the next field", key_label="↓"),
    Action("selfplay", "previous_field", "up", "back", "To the field before", footer=False, key_label="↑"),
    Action("selfplay", "choose", "right,space", "other", "The next of a choice", key_label="→"),
    Action("selfplay", "choose_back", "left", "before", "The one before", footer=False, key_label="←"),
    Action("selfplay", "fill", "ctrl+o", "list", "Add a game, a player or a seat from a list, in their fields"),
    Action("selfplay", "copy", "ctrl+y", "command", "Copy the command that plays the same"),
    Action("selfplay", "back", "escape", "close", "Back; what is written stays"),
    Action("branches", "open", "enter", "open", "The rollouts of this candidate, or the episode under the cursor"),
    Action("branches", "sample", "n", "new", "New candidates from a player, and rollouts of each"),
    Action("branches", "write", "w", "write", "Write a candidate, and let it be played on"),
    Action("branches", "more", "m", "more", "More rollouts of this candidate"),
    Action("branches", "seats", "t", "players", "Who plays on from here"),
    Action("branches", "unfold", "space,right", "unfold", "Show or hide the rollouts of this candidate", footer=False),
    Action("branches", "watch", "v", "watch", "Watch the rollout under the cursor again", footer=False),
    Action("branches", "copy", "y", "copy", "Copy the tree as text", footer=False),
    Action("branches", "stop", "x", "stop", "Stop what goes on here; what was played stays"),
    Action("branches", "back", "escape", "back", "Back; what goes on here goes on"),
    Action("line", "submit", "enter", "send", "Say what is written", key_label="enter"),
    Action("play", "stop", "escape", "stop", "Stop a model that is at work; ctrl+r asks it again"),
    Action("play", "away", "escape", "leave", "Clear the draft, or leave: the game waits in the log"),
    Action("play", "retry", "ctrl+r", "retry", "Ask again whose turn it is, after a stop or an error"),
    Action("play", "rules", "f2", "rules", "The rules of this game"),
    Action("play", "seats", "f3", "seats", "Give a seat to another player in mid-game, take it, or hand it back"),
    Action("play", "focus_dialogue", "f6", "scroll", "Move between the writing line and the dialogue", footer=False),
    Action("play", "copy", "ctrl+y", "copy", "Copy the dialogue as text", footer=False),
    Action("play", "judge", "f4", "judge", "Judge turns: the cursor goes onto the newest one", footer=False),
    Action("play", "choose", "f5", "choose", CHOOSE, footer=False),
    Action("turn", "judge_turns", "j", "judge", "Judge turns: the cursor goes onto the newest one", footer=False),
    Action("turn", "turn_down", "j", "turn after", "To the turn after; so does j", footer=False, key_label="↓"),
    Action("turn", "turn_up", "k", "turn before", "To the turn before; so does k", footer=False, key_label="↑"),
    Action("turn", "good", "plus", "good", "This turn was good; once more takes it back", key_label="+"),
    Action("turn", "bad", "minus", "bad", "This turn was bad; once more takes it back", key_label="-"),
    Action("turn", "correct", "e", "correct", "Write what should have been said: it and the turn become a pair"),
    Action("turn", "another", "r", "another", "Ask whoever spoke for another reply, and say which is better"),
    Action("turn", "ask_other", "R", "ask other", "Ask another player for a reply in its place", footer=False),
    Action("turn", "branch", "b", "branch", "Go on from here in other ways, and see what comes of each"),
    Action("turn", "take_back", "u", "take back", "Take the last of your remarks back", footer=False),
    Action("turn", "off", "escape", "done", "Take the cursor off"),
    Action("reply", "left", "1,left", "left", "The left one, or the upper, is better", key_label="1"),
    Action("reply", "right", "2,right", "right", "The right one, or the lower, is better", key_label="2"),
    Action("reply", "alike", "3", "no difference", "Neither is better"),
    Action("reply", "correct", "e", "correct", "Write what should be said, from the left one"),
    Action("reply", "correct_right", "E", "correct right", "Write what should be said, from the right one"),
    Action("reply", "back", "escape", "leave it", "Say nothing; of replies that are to be said, the first goes on"),
    Action("end", "again", "a", "again", "The same instance once more"),
    Action("end", "swap", "w", "swap roles", "Exchange roles; people get another instance"),
    Action("end", "next_instance", "n,enter", "next", "The next instance"),
    Action("end", "pick", "g", "another game", "Choose another game"),
    Action("end", "home", "escape,h", "home", "Back to Home"),
    Action("curtain", "lift", "enter,space", "lift", "Lift the curtain"),
    Action("dialog", "back", "escape", "close", "Close this"),
    Action("opening", "stop", "escape", "stop", "Stop what is being opened; nothing has been played yet"),
    Action("choose", "back", "escape", "close", "Close this"),
    Action("choose", "text_up", "pageup", "text up", "Further up in the text", footer=False, priority=True),
    Action("choose", "text_down", "pagedown", "text down", "Further down in the text", footer=False, priority=True),
)


def of(place: str) -> list[Action]:
    """The actions of one place, in order."""
    return [action for action in ACTIONS if action.place == place]


def bindings(*places: str) -> list[BindingType]:
    """Textual bindings of some places, with ids that a user's keymap can override."""
    return [binding for place in places for action in of(place) for binding in _bound(action)]


def _bound(action: Action) -> list[Binding]:
    """Its keys, and those that are always heard; the footer has one place for both, and names those of the second kind
    where the first would be typed.
    """
    id = f"{action.place}.{action.name}"
    kinds = [(action.keys, action.priority, id, action.shown_key)]
    if action.always:
        kinds.append((action.always, True, f"{id}.always", action.always.upper()))
    return [
        Binding(
            keys,
            action.name,
            action.label,
            show=action.footer,
            priority=priority,
            key_display=shown,
            id=name,
            tooltip=action.help,
        )
        for keys, priority, name, shown in kinds
    ]
