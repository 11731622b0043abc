"""The question that stands before the first recorded turn of a person, and its answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A text and its answers as (level, label); the first answer is the default."""

    text: str
    answers: tuple[tuple[str, str], ...]


CONSENT = Question(
    text="""May your turns be kept?

Every game is written into one file on this machine: what you said, what you had seen, how long you took to answer, and
how the game ended. You appear in it under a random pseudonym; your name is not asked for. Models can be trained on
what is in the file, by whoever has it.

You decide how far your words may go. It can be changed later, and your words can be erased.""",
    answers=(
        ("local", "Keep them on this machine only"),
        ("research", "They may be shared for research"),
        ("public", "They may be published"),
        ("none", "Play without record"),
    ),
)
