"""Replies of the weights that are being trained, many at once, without a trace in the training: modes, random numbers
and gradients are afterwards as they were.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

from games.engine import Message
from players.base import Call, Reply
from training.tokens import Template

BATCH = 16
"""Replies that are made at once."""


@contextlib.contextmanager
def aside(model: Any) -> Iterator[None]:
    """Play with a model in the middle of its training: in eval mode and without gradients, then all as it was."""
    import numpy
    import torch

    modes = {module: module.training for module in model.modules()}
    python, arrays, torch_state = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
    cards = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training
        random.setstate(python)
        numpy.random.set_state(arrays)
        torch.set_rng_state(torch_state)
        if cards:
            torch.cuda.set_rng_state_all(cards)


class Beginning:
    """The weights as they were when this was made: what is trained is copied, the rest has not changed.

    To switch the adapter off would not do, since a training may go on with one that has learned before.
    """

    def __init__(self, model: Any) -> None:
        self._trained: list[Any] = [one for one in model.parameters() if one.requires_grad]
        self._kept = [one.detach().clone() for one in self._trained]

    @contextlib.contextmanager
    def back(self) -> Iterator[None]:
        """The model as it was, for a while."""
        now = [one.data for one in self._trained]
        for one, before in zip(self._trained, self._kept, strict=True):
            one.data = before
        try:
            yield
        finally:
            for one, data in zip(self._trained, now, strict=True):
                one.data = data


class Speaker:
    """The most likely replies of a model to dialogues, in the chat template it plays with.

    `arguments` go to the template; `beginning` is who speaks as the frozen model. A dialogue that leaves no room for a
    reply in the model's context gets None.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        arguments: Mapping[str, Any],
        max_tokens: int,
        beginning: Beginning | None = None,
    ) -> None:
        self.model = model
        self.template = Template(tokenizer, **arguments)
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.beginning = beginning
        self.context = int(getattr(model.config, "max_position_embeddings", 0) or 0) or 1 << 20

    def replies(self, dialogues: Sequence[Sequence[Message]], *, frozen: bool = False) -> list[Reply | None]:
        """A reply to each, or that of the frozen model. Raises TemplateMismatch."""
        found: list[Reply | None] = [None] * len(dialogues)
        ids = {at: self._ids(dialogue) for at, dialogue in enumerate(dialogues)}
        # those of like length together: what is padded costs as much as what is said
        open_ = sorted((at for at, one in ids.items() if len(one) + 1 < self.context), key=lambda at: len(ids[at]))
        assert self.beginning is not None or not frozen
        with self.beginning.back() if self.beginning is not None and frozen else contextlib.nullcontext():
            for first in range(0, len(open_), BATCH):
                some = open_[first : first + BATCH]
                began = perf_counter()
                made = self._generate([ids[at] for at in some])
                ms = (perf_counter() - began) * 1000 / len(some)
                for at, tokens in zip(some, made, strict=True):
                    found[at] = self._reply(dialogues[at], ids[at], tokens, ms)
        return found

    def _ids(self, dialogue: Sequence[Message]) -> tuple[int, ...]:
        return self.template.ids([{"role": one.role, "content": one.content} for one in dialogue], ask=True)

    def _generate(self, prompts: Sequence[tuple[int, ...]]) -> list[list[int]]:
        """The tokens that follow each prompt, the one that ends the turn included where it came."""
        import torch

        longest = max(map(len, prompts))
        ends = sorted(self.template.ends)
        pad = self.tokenizer.pad_token_id
        pad = pad if pad is not None else ends[0]
        device = next(self.model.parameters()).device
        rows = torch.tensor([[pad] * (longest - len(one)) + list(one) for one in prompts], device=device)
        mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in prompts], device=device)
        made = self.model.generate(
            input_ids=rows,
            attention_mask=mask,
            max_new_tokens=min(self.max_tokens, self.context - longest),
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            eos_token_id=ends or None,
            pad_token_id=pad,
            use_cache=True,
        )
        found: list[list[int]] = []
        for row in made[:, longest:].tolist():
            end = next((at for at, token in enumerate(row) if token in self.template.ends), None)
            found.append(row if end is None else row[: end + 1])
        return found

    def _reply(self, dialogue: Sequence[Message], prompt: Sequence[int], tokens: Sequence[int], ms: float) -> Reply:
        ended = bool(tokens) and tokens[-1] in self.template.ends
        text = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        call = Call(
            tuple(dialogue),
            text,
            "stop" if ended else "length",
            len(prompt),
            len(tokens),
            ms,
            sampling={"temperature": 0, "max_tokens": self.max_tokens},
        )
        return Reply(text, ms, call)
