"""From exceptions to one sentence and an exit code."""

from __future__ import annotations

WRONG_USAGE = 2
FAILED = 1
OPTIONS = {"name": "NAME", "sampling": "--set"}
"""How the commands call those fields of a model that have no option of their own name."""


def sentence(error: BaseException) -> tuple[str, int]:
    """What to print for an exception, and with which code to leave.

    Our own exceptions carry their sentence; anything else is a fault of ours and says how to see more.
    """
    from games.catalog import UnknownGame, UnknownInstance
    from games.template import CannotWrite
    from players.entry import BadField
    from playpen_tui.sitting import BadSetup
    from playpen_tui.study_file import BadStudy
    from playpen_tui.workbench import expected

    if isinstance(error, UnknownGame | UnknownInstance | BadSetup | BadStudy | CannotWrite):
        return str(error.args[0] if error.args else error), WRONG_USAGE
    if isinstance(error, BadField):
        return error.called(OPTIONS.get(error.key, "--" + error.key.replace("_", "-"))), error.exit_code
    if isinstance(error, ValueError) and type(error).__module__.startswith(("evaluation", "training")):
        return str(error), int(getattr(error, "exit_code", FAILED))
    if isinstance(error, expected()):
        return str(error), int(getattr(error, "exit_code", FAILED))
    return f"{type(error).__name__}: {error} (a fault of ours; `playpen-tui --debug …` shows where)", FAILED
