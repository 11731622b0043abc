"""Keys are taken out by value and by look, and what is no key stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from players.masking import (
    HIDDEN,
    key_values,
    looks_like_key,
    mask,
    mask_address,
    mask_all,
    may_be_key,
    unlike_a_name,
)

PLANTED = "Xk3-planted/value+0123"
"""A key that looks like none, so that only its value gives it away."""
LOOKS = [
    "sk-proj-0123456789abcdef",
    "sk_live_0123456789abcdef",
    "hf_AbCdEfGhIjKlMnOpQr",
    "gsk_0123456789abcdefghij",
    "ghp_0123456789abcdefghij",
    "nvapi-0123456789abcdefghij",
    "xai-0123456789abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA0123456789abcdefghij",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.sig-nature",
]
NO_KEYS = [
    "smollm2",
    "openai:llama3.2:1b?base_url=http://127.0.0.1:11434/v1",
    "qwen2.5-7b-instruct-q4_K_M",
    "meta-llama/Llama-3.2-1B-Instruct",
    "smollm2?temperature=0&max_tokens=300",
    "x?max_completion_tokens=300&api_key_env=FAR_KEY",
    "a risk-free task, and a desk_lamp",
    "http://127.0.0.1:8000/v1",
    "/home/me/sk/weights.gguf",
    "",
]


@pytest.fixture(autouse=True)
def _planted(monkeypatch):
    monkeypatch.setenv("FAR_API_KEY", PLANTED)
    monkeypatch.setenv("ODDLY_CALLED", "a long enough value")


@pytest.mark.parametrize("key", LOOKS)
def test_a_key_is_known_by_its_look_wherever_it_stands(key):
    for text in (key, f"use {key} here", f"({key})", f'"{key}"', f"KEY={key}\n"):
        assert key not in mask(text) and HIDDEN in mask(text) and looks_like_key(text)


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_is_no_key_is_left_alone(text):
    assert mask(text) == text and not looks_like_key(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("http://me:pa55word@host:1/v1", f"http://{HIDDEN}@host:1/v1"),
        ("https://h/v1?api_key=abc&x=1", f"https://h/v1?{HIDDEN}&x=1"),
        ("https://h/v1?x=1&access_token=abc", f"https://h/v1?x=1&{HIDDEN}"),
        ("Authorization: Bearer abcdefgh.ij", f"Authorization: Bearer {HIDDEN}"),
    ],
)
def test_a_key_is_known_by_where_it_stands(text, left):
    assert mask(text) == left


@pytest.mark.parametrize(
    "name",
    ["OPENAI_API_KEY", "APIKEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORD", "Db_Passwd", "KEYS", "A_TOKEN_B"],
)
def test_variables_named_as_keys_are_hold_keys(name):
    assert key_values(environ={name: "0123456789"}) == ["0123456789"]


@pytest.mark.parametrize(
    "name", ["KEYBOARD", "MONKEY", "TOKENIZERS_PARALLELISM", "SSH_KEY_FILE", "SECRET_PATH", "HOME"]
)
def test_other_variables_do_not(name):
    assert key_values(environ={name: "0123456789"}) == []


def test_values_too_short_to_be_keys_would_blank_words_and_are_not_taken():
    assert key_values(environ={"A_KEY": "true", "B_KEY": "  ", "C_KEY": ""}) == []


def test_the_longest_goes_first_so_that_no_tail_stays():
    environ = {"A_KEY": "abcdefgh", "B_KEY": "abcdefghijkl"}
    assert key_values(environ=environ) == ["abcdefghijkl", "abcdefgh"]


def test_a_variable_that_an_entry_names_holds_a_key_whatever_it_is_called():
    assert mask("say a long enough value") == "say a long enough value"
    assert mask("say a long enough value", ["ODDLY_CALLED", "NOT_SET"]) == f"say {HIDDEN}"


surroundings = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(surroundings, surroundings)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_planted_value_survives_in_any_text(before, after):
    for text in (before + PLANTED + after, before + PLANTED + PLANTED + after):
        hidden = mask(text)
        assert PLANTED not in hidden and mask(hidden) == hidden and looks_like_key(text)


def test_an_address_loses_what_a_gateway_takes_for_a_key_in_its_path():
    key = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4"
    assert mask_address(f"https://gateway.example/{key}/openai/v1") == f"https://gateway.example/{HIDDEN}/openai/v1"
    assert mask_address("http://u:p@h/v1") == f"http://{HIDDEN}@h/v1"
    for plain in ("http://127.0.0.1:11434/v1", "https://openrouter.ai/api/v1", "", "nonsense"):
        assert mask_address(plain) == plain


def test_tables_and_lists_are_masked_all_through():
    table = {
        "headers": {"Authorization": "x", "X-Api-Key": "y", "plain": f"has {PLANTED} in it"},
        "list": [PLANTED, {"access_token": 3}, ("sk-0123456789abcdef", 1.5, None, True)],
    }
    assert mask_all(table) == {
        "headers": {"Authorization": HIDDEN, "X-Api-Key": HIDDEN, "plain": f"has {HIDDEN} in it"},
        "list": [HIDDEN, {"access_token": HIDDEN}, [HIDDEN, 1.5, None, True]],
    }


def test_counts_of_tokens_are_numbers_and_no_keys():
    """`models test --json` once hid its own times and speeds, and `models --json` hid max_tokens."""
    table = {"max_tokens": 300, "first_token_ms": 12.5, "tokens_per_second": 80, "skip_special_tokens": True}
    assert mask_all(table) == table


def test_a_key_where_the_name_of_a_variable_should_stand_is_told_from_a_name(monkeypatch):
    key = "a1B2c3D4e5F6a7B8c9D0e1F2a3B4"
    assert unlike_a_name(key)
    assert not unlike_a_name(key.upper()) and not unlike_a_name("OPENAI_API_KEY") and not unlike_a_name("my_key")
    monkeypatch.setenv(key, "x")
    assert not unlike_a_name(key), "it is the name of a variable that is here"


@pytest.mark.parametrize("typed", ["sk-", "gsk_a", "hf_", PLANTED[:6], PLANTED[:-1], f"x{PLANTED}", "http://me:pw"])
def test_what_may_become_a_key_is_noticed_before_it_is_whole(typed):
    assert may_be_key(typed)


@pytest.mark.parametrize(
    "typed", ["", "s", "smollm2", PLANTED[:5], "http://127.0.0.1:11434/v1", "temperature=0", "OPENAI"]
)
def test_what_people_usually_type_is_not_hidden(typed):
    assert not may_be_key(typed)


@given(st.integers(1, len(PLANTED)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_at_most_five_characters_of_a_key_are_ever_shown_while_it_is_typed(length):
    assert may_be_key(PLANTED[:length]) == (length >= 6)
