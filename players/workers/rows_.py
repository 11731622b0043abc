"""The rows that `transformers_.py` decodes together, and the prompts that it need not read twice.

Prompts of dialogue games are mostly old: the rules are the same in every match, and a prompt of the second turn is that
of the first with what was said since. So the keys and values of rows that are done are kept for a while, and a new row
is read from where it first differs. Numbers computed in another batch differ in their last bits, here as in any
backend that batches: greedy texts may part where two tokens are as good as equal.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

_Layers: TypeAlias = "list[tuple[Any, Any]]"
_Begun: TypeAlias = "tuple[Row, int, _Layers]"
"""A row, how many tokens of it were read before, and where those are."""
KEPT = 512 * 2**20
"""Bytes of keys and values that are kept of rows that are done."""
WORTH = 16
"""Tokens that prompts must share before it pays to begin there."""


class Row:
    """One request in the batch."""

    def __init__(self, name: str, ids: list[int], sampling: Mapping[str, Any], limit: int, detokenize: Any) -> None:
        self.name = name
        self.ids = ids
        self.made: list[int] = []
        self.logprobs: list[float] = []
        self.text = ""
        self.sent = 0
        self.finish = ""
        self.reused = 0
        """Tokens of the prompt that were read before, with another row."""
        self.limit = limit
        self.sampling = sampling
        self.warpers: Any = None
        self.generator: Any = None
        stop = sampling.get("stop") or ()
        self.stops: tuple[str, ...] = (stop,) if isinstance(stop, str) else tuple(stop)
        self.held = max((len(one) for one in self.stops), default=1) - 1
        """Characters kept back, since they may become a stop text."""
        self._detokenize = detokenize

    @property
    def greedy(self) -> bool:
        """Whether it takes the likeliest token."""
        return float(self.sampling.get("temperature", 1.0)) <= 0

    def take(self, token: int, logprob: float, ends: frozenset[int]) -> str:
        """Add a token; returns the text that may go out."""
        self.made.append(token)
        self.logprobs.append(logprob)
        if token in ends and not self.sampling.get("ignore_eos"):
            self.finish = "stop"
        else:
            self.text += self._detokenize(token)
            at = min((found for one in self.stops if (found := self.text.find(one)) >= 0), default=-1)
            if at >= 0:
                self.text, self.finish = self.text[:at], "stop"
            elif len(self.made) >= self.limit:
                self.finish = "length"
        until = len(self.text) if self.finish else max(self.sent, len(self.text) - self.held)
        fresh, self.sent = self.text[self.sent : until], until
        return fresh

    def done(self) -> dict[str, Any]:
        """What the request came to."""
        return {
            "id": self.name,
            "finish": self.finish,
            "tokens_in": len(self.ids),
            "tokens_out": len(self.made),
            "token_ids": self.made,
            "logprobs": self.logprobs if self.sampling.get("logprobs", True) else [],
            "text": self.text,
            "cached": self.reused,
        }


class Prefixes:
    """Keys and values of texts read before, a pair a layer, each (heads, tokens, size). The oldest go first."""

    def __init__(self, most: int = KEPT) -> None:
        self.most = most
        self.size = 0
        self._kept: OrderedDict[tuple[int, ...], list[tuple[Any, Any]]] = OrderedDict()

    def find(self, ids: Sequence[int]) -> tuple[int, list[tuple[Any, Any]]]:
        """How many tokens at the beginning were read before, and the layers that hold at least those.

        At most all but the last, since a token must be read for another to follow; 0 where too few to be worth it.
        """
        wanted, best = tuple(ids[:-1]), 0
        found: tuple[int, ...] | None = None
        for kept in self._kept:
            if (length := shared(kept, wanted)) > best:
                best, found = length, kept
        if found is None or best < WORTH:
            return 0, []
        self._kept.move_to_end(found)
        return best, self._kept[found]

    def keep(self, ids: Sequence[int], layers: list[tuple[Any, Any]]) -> None:
        """Remember a text; those that are its beginnings are dropped, since it serves for them as well."""
        text = tuple(ids)
        for kept in [kept for kept in self._kept if text[: len(kept)] == kept]:
            self.size -= _bytes(self._kept.pop(kept))
        self._kept[text] = layers
        self.size += _bytes(layers)
        while self.size > self.most and self._kept:
            self.size -= _bytes(self._kept.popitem(last=False)[1])


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # halving: slices are compared without Python, tokens would not be
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _bytes(layers: Sequence[tuple[Any, Any]]) -> int:
    return sum(tensor.nbytes for pair in layers for tensor in pair)


class Batch:
    """The rows that are being decoded, with their keys and values, padded on the left to one length."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.rows: list[Row] = []
        self.prefixes = Prefixes()
        self._cache: Any = None
        self._mask: Any = None
        self._last: Any = None

    def join(self, rows: list[Row]) -> list[tuple[Row, str]]:
        """Read the prompts of new rows from where they are new, and take their first tokens."""
        self._read_shared(rows)
        begun = [(row, *self.prefixes.find(row.ids)) for row in rows]
        return [told for some in _alike(begun) for told in self._join(some)]

    def _read_shared(self, rows: Sequence[Row]) -> None:
        """Read what all of these begin with, once, unless it was read before."""
        common = rows[0].ids[:-1]
        for row in rows[1:]:
            common = common[: shared(common, row.ids[:-1])]
        have, layers = self.prefixes.find([*common, -1])
        if len(rows) > 1 and len(common) - have >= WORTH:
            mask, cache = self._begin([(common, have, layers)])
            self._forward(self._ids([common[have:]]), mask, cache)
            self.prefixes.keep(common, [(layer.keys[0], layer.values[0]) for layer in cache.layers])

    def _join(self, begun: Sequence[_Begun]) -> list[tuple[Row, str]]:
        torch = self.model.torch
        rows = [row for row, _, _ in begun]
        mask, cache = self._begin([(row.ids, have, layers) for row, have, layers in begun])
        logits = self._forward(self._ids([row.ids[have:] for row, have, _ in begun]), mask, cache)
        before = len(self.rows)
        self._merge(cache, mask)
        for row, have, _ in begun:
            row.reused = have
        self.rows += rows
        told, last = self._take(rows, logits)
        self._last = last if before == 0 else torch.cat([self._last, last])
        return told

    def _ids(self, texts: Sequence[Sequence[int]]) -> Any:
        """Tokens padded on the left to one length: (texts, tokens)."""
        torch, longest = self.model.torch, max(len(text) for text in texts)
        ids = torch.zeros((len(texts), longest), dtype=torch.long)
        for at, text in enumerate(texts):
            ids[at, longest - len(text) :] = torch.tensor(text)
        return ids.to(self.model.device)

    def _begin(self, begun: Sequence[tuple[Sequence[int], int, _Layers]]) -> tuple[Any, Any]:
        """Which places hold a token once these texts are read, and the cache that has what was read of them before.

        A row is padded twice where others are longer: before what was read, and between that and the rest.
        """
        torch, cache = self.model.torch, self.model.cache_type()
        width = max(have for _, have, _ in begun)
        longest = max(len(ids) - have for ids, have, _ in begun)
        mask = torch.zeros((len(begun), width + longest), dtype=torch.long)
        for at, (ids, have, _) in enumerate(begun):
            mask[at, width - have : width] = 1
            mask[at, width + longest - (len(ids) - have) :] = 1
        nothing: _Layers = []
        some = next((layers for _, have, layers in begun if have), nothing)
        for number, pair in enumerate(some):
            made = [one.new_zeros((len(begun), one.shape[0], width, one.shape[2])) for one in pair]
            for at, (_, have, layers) in enumerate(begun):
                if have:
                    for whole, one in zip(made, layers[number], strict=True):
                        whole[at, :, width - have :] = one[:, :have]
            cache.update(*made, number)
        return mask.to(self.model.device), cache

    def step(self) -> list[tuple[Row, str]]:
        """One more token for every row."""
        torch = self.model.torch
        one = torch.ones((len(self.rows), 1), dtype=torch.long, device=self.model.device)
        self._mask = torch.cat([self._mask, one], dim=1)
        logits = self._forward(self._last.unsqueeze(1), self._mask, self._cache)
        told, self._last = self._take(self.rows, logits)
        return told

    def _forward(self, ids: Any, mask: Any, cache: Any) -> Any:
        """Scores of the next token of every row, float32."""
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = self.model.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1].float()

    def _take(self, rows: Sequence[Row], logits: Any) -> tuple[list[tuple[Row, str]], Any]:
        """Choose a token for every row."""
        torch = self.model.torch
        plain = logits.argmax(-1).tolist()
        chosen = [
            token if row.greedy and not row.warpers and not _penalised(row) else self.model.choose(row, logits[at])
            for at, (row, token) in enumerate(zip(rows, plain, strict=True))
        ]
        last = torch.tensor(chosen, device=self.model.device)
        picked = logits.gather(1, last.unsqueeze(1)).squeeze(1) - logits.logsumexp(-1)
        told = [
            (row, row.take(token, min(0.0, value), self.model.ends))
            for row, token, value in zip(rows, chosen, picked.tolist(), strict=True)
        ]
        return told, last

    def _merge(self, cache: Any, mask: Any) -> None:
        """Put rows that were read just now beside those under way, the shorter padded on the left."""
        torch = self.model.torch
        if not self.rows:
            self._cache, self._mask = cache, mask
            return
        longest = max(self._mask.shape[1], mask.shape[1])

        def padded(tensor: Any, dim: int) -> Any:
            missing = longest - tensor.shape[dim]
            if not missing:
                return tensor
            shape = list(tensor.shape)
            shape[dim] = missing
            return torch.cat([tensor.new_zeros(shape), tensor], dim=dim)

        merged = self.model.cache_type()
        for number, (old, new) in enumerate(zip(self._cache.layers, cache.layers, strict=True)):
            keys = torch.cat([padded(old.keys, 2), padded(new.keys, 2)])
            values = torch.cat([padded(old.values, 2), padded(new.values, 2)])
            merged.update(keys, values, number)
        self._cache = merged
        self._mask = torch.cat([padded(self._mask, 1), padded(mask, 1)])

    def leave(self) -> list[Row]:
        """Take out rows that are done, and padding that none needs any more; returns those rows."""
        torch = self.model.torch
        gone = [row for row in self.rows if row.finish]
        if not gone:
            return []
        for at, row in enumerate(self.rows):
            if row.finish:
                there = self._mask[at].bool()
                layers = [(layer.keys[at][:, there], layer.values[at][:, there]) for layer in self._cache.layers]
                self.prefixes.keep((row.ids + row.made)[:-1], layers)  # the last token was chosen and not read
        kept = [at for at, row in enumerate(self.rows) if not row.finish]
        self.rows = [self.rows[at] for at in kept]
        if not kept:
            self._cache = self._mask = self._last = None
            return gone
        where = torch.tensor(kept, device=self.model.device)
        self._mask, self._last = self._mask[where], self._last[where]
        needless = int(self._mask.argmax(dim=1).min())
        self._mask = self._mask[:, needless:]
        smaller = self.model.cache_type()
        for number, layer in enumerate(self._cache.layers):
            smaller.update(layer.keys[where][:, :, needless:], layer.values[where][:, :, needless:], number)
        self._cache = smaller
        return gone


def _alike(begun: Sequence[_Begun]) -> Iterator[list[_Begun]]:
    """Rows of which about as much must be read: a group is padded to its longest, so none more than doubles."""
    waiting = sorted(begun, key=_rest, reverse=True)
    while waiting:
        some = [one for one in waiting if 2 * _rest(one) >= _rest(waiting[0])]
        yield some
        waiting = waiting[len(some) :]


def _rest(one: _Begun) -> int:
    row, have, _ = one
    return len(row.ids) - have


def _penalised(row: Row) -> bool:
    return bool(row.sampling.get("presence_penalty") or row.sampling.get("frequency_penalty"))
