"""Token-exact: what carries loss is what the model says, and nothing else; unfaithful templates are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.tokens import IGNORED, Encoded, Template, TemplateMismatch


class Letters:
    """A tokenizer of characters with a template like ChatML: <role words >, a newline after each; `>` ends a turn."""

    eos_token_id = ord(">")

    def __init__(self, broken=""):
        self.broken = broken

    def apply_chat_template(self, messages, *, add_generation_prompt, tokenize, return_dict):
        assert tokenize and not return_dict
        if self.broken == "raises":
            raise RuntimeError("no such role")
        text = "".join(f"<{m['role'][0]} {m['content']}>\n" for m in messages)
        if self.broken == "hides" and messages and messages[-1]["role"] == "assistant":
            text = text.replace("think", "", 1)
        return [ord(one) for one in text + ("<a " if add_generation_prompt else "")]


def said(*words):
    return [{"role": "assistant" if at % 2 else "user", "content": one} for at, one in enumerate(words)]


def shown(encoded):
    """What carries loss, as text, with | between pieces."""
    text = "".join(chr(i) if label != IGNORED else "|" for i, label in zip(encoded.ids, encoded.labels, strict=True))
    return [part for part in text.split("|") if part]


def test_a_reply_and_the_end_of_its_turn_carry_loss():
    encoded = Template(Letters()).encode(said("hi", "yes", "and", "no", "bye"), [1, 3])
    assert shown(encoded) == ["yes>", "no>"] and encoded.trained == 7
    assert encoded.ids[-1] == ord(">"), "nothing after the last reply is kept"


def test_only_those_asked_for():
    encoded = Template(Letters()).encode(said("hi", "yes", "and", "no", "bye"), [1])
    assert shown(encoded) == ["yes>"]
    with pytest.raises(ValueError, match="is no reply"):
        Template(Letters()).encode(said("hi", "yes"), [0])


def test_what_the_model_sees_when_it_plays_is_what_it_was_trained_on():
    template, messages = Template(Letters()), said("hi", "yes", "and", "no")
    encoded = template.encode(messages, [3])
    first = encoded.labels.index(ord("n"))
    assert encoded.ids[:first] == template.ids(messages[:3], ask=True)


@pytest.mark.parametrize(("broken", "told"), [("hides", "trained on other tokens"), ("raises", "does not take this")])
def test_unfaithful_templates_are_refused(broken, told):
    with pytest.raises(TemplateMismatch, match=told):
        Template(Letters(broken)).encode(said("think", "yes", "think", "no"), [1, 3])


def test_cutting_keeps_ids_and_labels_together():
    encoded = Template(Letters()).encode(said("hi", "yes"), [1])
    assert encoded.cut(99) is encoded and encoded.cut(4) == Encoded(encoded.ids[:4], encoded.labels[:4])


WORDS = st.text(st.characters(blacklist_characters="<>\n"), max_size=6)


@given(st.lists(WORDS, min_size=2, max_size=9), st.data())
def test_loss_is_on_replies_whatever_is_said(words, data):
    messages = said(*words)
    replies = [at for at, one in enumerate(messages) if one["role"] == "assistant"]
    loss = data.draw(st.sets(st.sampled_from(replies), min_size=1))
    encoded = Template(Letters()).encode(messages, loss)
    text = "".join(chr(i) for i, label in zip(encoded.ids, encoded.labels, strict=True) if label != IGNORED)
    assert text == "".join(messages[at]["content"] + ">" for at in sorted(loss))
