"""What can go wrong with the log: one exception per situation, each message a sentence with a way out."""

from __future__ import annotations


class LogError(Exception):
    """Something is wrong with the log; the message is fit for users."""


class NoFolder(LogError):
    """The folder that should hold the log does not exist."""


class NoLog(LogError):
    """There is no log at this path, and it was opened only to be read."""


class NotALog(LogError):
    """The file is no SQLite database, or one of another program. It was not touched."""


class NewerSchema(LogError):
    """A newer version of this program wrote the log."""


class LogLocked(LogError):
    """Another process kept the log locked for longer than we wait; the message says who, where that can be known."""


class ReadOnly(LogError):
    """The log or its folder cannot be written."""


class DiskFull(LogError):
    """No space is left where the log lies. What was committed before is safe."""


class Damaged(LogError):
    """SQLite found the file malformed."""


class LogClosed(LogError):
    """Somebody wrote to a log after it was closed."""


class Taken(LogError):
    """This turn, slot or result is in the log already: two processes play the same episode."""


class NoConsent(LogError):
    """A person's words were to be recorded without a person in the log who agreed to it."""


class FileExists(LogError):
    """A backup would overwrite a file."""


class Foreign(LogError):
    """The episode was played by another program: there is only its log."""


class Erased(LogError):
    """Words of the episode were erased on request."""


class BadPoint(LogError):
    """An episode cannot be branched there."""

    exit_code = 2


class UnknownEpisode(LogError, LookupError):
    """No episode has this id, or several begin with it."""


class UnknownPerson(LogError, LookupError):
    """No person of this pseudonym is in the log."""


class UnknownRun(LogError, LookupError):
    """No run of this id is in the log."""


class BadCondition(LogError):
    """A condition that a user wrote is no SQL, or names what is not there."""

    exit_code = 2


class BadFilter(LogError, ValueError):
    """A filter asks for what cannot be, such as an outcome that there is none of."""

    exit_code = 2


class Unknown(LogError, LookupError):
    """Nothing in the log is called this, or several things are."""


class UnknownQueue(Unknown):
    """No queue of this name or id is in the log."""

    exit_code = 2


class UnknownTurn(Unknown):
    """The episode has no such turn."""

    exit_code = 2
