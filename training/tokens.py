"""Which tokens carry loss: exactly those that the model itself must produce when it plays.

A dialogue is cut where a reply begins. What stands before it is rendered as it is when the model is asked, with the
opening of its turn; the reply is what the template adds to that, up to the token that ends a turn. A template that
renders the past differently once there is more of it cannot be trained faithfully, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

IGNORED = -100
"""The label of a token without loss."""


class TemplateMismatch(ValueError):
    """The chat template does not render a dialogue as it renders its beginning."""


class NothingLeft(ValueError):
    """No row is left that fits; the message says which setting to change."""


class TooLong(ValueError):
    """More rows would be cut than the recipe allows."""

    def __init__(self, share: float, length: int, allowed: float) -> None:
        super().__init__(
            f"{share:.0%} of the rows are longer than {length} tokens and would be cut, and {allowed:.0%} may be; "
            "raise steps.max_length, or steps.truncated if that is wanted"
        )


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids, and for each its label: itself where it carries loss, else `IGNORED`."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def trained(self) -> int:
        """How many tokens carry loss."""
        return sum(label != IGNORED for label in self.labels)

    def cut(self, length: int) -> Encoded:
        """The first so many tokens."""
        return self if len(self.ids) <= length else Encoded(self.ids[:length], self.labels[:length])


class Template:
    """The chat template of a tokenizer, asked for token ids."""

    def __init__(self, tokenizer: Any, **arguments: Any) -> None:
        self.tokenizer = tokenizer
        self.arguments = arguments
        ends = getattr(tokenizer, "eos_token_id", None)
        self.ends = frozenset([ends] if isinstance(ends, int) else ends or ())

    def ids(self, messages: Sequence[Mapping[str, str]], *, ask: bool = False) -> tuple[int, ...]:
        """The ids of a dialogue; with `ask` the beginning of the next reply too. Raises TemplateMismatch."""
        try:
            found = self.tokenizer.apply_chat_template(
                list(messages), add_generation_prompt=ask, tokenize=True, return_dict=False, **self.arguments
            )
        except Exception as error:  # templates raise what they like
            raise TemplateMismatch(f"the chat template does not take this dialogue: {str(error)[:200]}") from error
        return tuple(found)

    def encode(self, messages: Sequence[Mapping[str, str]], loss: Iterable[int]) -> Encoded:
        """The whole dialogue with loss on the replies at these places. Raises TemplateMismatch."""
        whole = self.ids(messages)
        labels = [IGNORED] * len(whole)
        for place in sorted(loss):
            if messages[place]["role"] != "assistant":
                raise ValueError(f"message {place} is no reply and cannot carry loss")
            before, after = self.ids(messages[:place], ask=True), self.ids(messages[: place + 1])
            self._begins(after, before, place)
            end = self._end(after, len(before))
            self._begins(whole, after[:end], place)
            labels[len(before) : end] = whole[len(before) : end]
        last = max((at for at, label in enumerate(labels) if label != IGNORED), default=-1) + 1
        return Encoded(whole[:last], tuple(labels[:last]))

    def _end(self, ids: tuple[int, ...], start: int) -> int:
        """Where the reply ends: behind the token that ends a turn; what the template writes after it, nobody says."""
        for at in range(len(ids) - 1, start - 1, -1):
            if ids[at] in self.ends:
                return at + 1
        return len(ids)

    @staticmethod
    def _begins(ids: tuple[int, ...], start: tuple[int, ...], place: int) -> None:
        if ids[: len(start)] != start:
            raise TemplateMismatch(
                f"the chat template renders what stands before message {place} differently once the reply is there, so "
                "the model would be trained on other tokens than it sees when it plays"
            )
