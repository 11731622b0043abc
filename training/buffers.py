"""The tokens of a rollout: what the learner read and wrote, only ever appended to.

What others said in between is written as the chat template would, by the difference that it makes to a short dialogue;
a template whose renderings do not grow at the end alone is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from games.engine import Message
from training.tokens import Template, TemplateMismatch


class Suffix:
    """What the chat template writes between a reply's end and the beginning of the next one."""

    def __init__(self, template: Template) -> None:
        """Raises TemplateMismatch where the template does not write a dialogue piece by piece."""
        self.template = template
        self._known: dict[tuple[Message, ...], tuple[int, ...]] = {}
        self._start = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
        whole = template.ids(self._start)
        ends = [at for at, token in enumerate(whole) if token in template.ends]
        if not ends:
            raise TemplateMismatch(
                "the chat template does not end a reply with the token that ends a turn, so a dialogue of several "
                "turns cannot be trained piece by piece; give the model a template that does"
            )
        self._before = whole[: ends[-1] + 1]
        self.end = whole[ends[-1]]
        """The token that ends a turn."""
        asked, reply = {"role": "user", "content": "three"}, {"role": "assistant", "content": "four"}
        longer = [*self._start, asked, reply, asked]
        rendered = template.ids(longer, ask=True)
        between = self.ids([Message("user", "three")])
        head = [*self._before, *between]
        if list(rendered[: len(head)]) != head or tuple(rendered[-len(between) :]) != between:
            raise TemplateMismatch(
                "the chat template renders earlier turns differently once there are more of them, so what the learner "
                "read would not be what is trained; give the model a template that only appends"
            )

    def ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Tokens of these messages behind a reply, with the beginning of the next reply. Raises TemplateMismatch."""
        key = tuple(messages)
        found = self._known.get(key)
        if found is None:
            plain = [{"role": one.role, "content": one.content} for one in messages]
            whole = self.template.ids([*self._start, *plain], ask=True)
            if whole[: len(self._before)] != self._before:
                raise TemplateMismatch("the chat template renders a reply differently once there is more behind it")
            found = self._known[key] = whole[len(self._before) :]
        return found


@dataclass(slots=True)
class Buffer:
    """Token ids of one rollout: the prompt, and all that came after it with 1 where the learner wrote it."""

    suffix: Suffix
    limit: int
    """Tokens at most, the next reply included."""
    prompt: list[int] = field(default_factory=list[int])
    completion: list[int] = field(default_factory=list[int])
    mask: list[int] = field(default_factory=list[int])
    logprobs: list[float] = field(default_factory=list[float])
    heard: int = 0
    """Messages that are in it; the learner's last reply counts when it is written."""

    def ask(self, messages: Sequence[Message], tokens: int) -> list[int] | None:
        """What the model reads for its next reply of at most so many tokens; None where that would be too long."""
        if not self.heard:
            prompt = self.suffix.template.ids([plain(one) for one in messages], ask=True)
            if len(prompt) + tokens > self.limit:
                return None
            self.prompt = list(prompt)
        else:
            new = [*self.suffix.ids(messages[self.heard :])]
            if self.completion[-1] != self.suffix.end:  # cut, or ended by another token than the template's
                new.insert(0, self.suffix.end)
            if len(self.prompt) + len(self.completion) + len(new) + tokens > self.limit:
                return None
            self._add(new, 0, None)
        self.heard = len(messages)
        return [*self.prompt, *self.completion]

    def wrote(self, ids: Sequence[int], logprobs: Sequence[float] | None) -> None:
        """The learner's reply, with the token that ended it."""
        self._add(ids, 1, logprobs)
        self.heard += 1

    def _add(self, ids: Sequence[int], mask: int, logprobs: Sequence[float] | None) -> None:
        self.completion += ids
        self.mask += [mask] * len(ids)
        self.logprobs += logprobs if logprobs is not None else [0.0] * len(ids)


def plain(message: Message) -> dict[str, str]:
    """As templates take it."""
    return {"role": message.role, "content": message.content}
