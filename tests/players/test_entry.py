"""What each field of an entry may be; the same for file, options and form, and no sentence ever repeats a key."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from players.entry import (
    BadField,
    ModelEntry,
    RegistryError,
    check_field,
    checked,
    read_settings,
    refuse_keys,
    table_of,
    typed,
)

KEY = "sk-planted-0123456789abcdef"
PLANTED = "a plain value that is a key"
GOOD = {"backend": "openai", "model": "m"}
FIELDS = ("name", "backend", "model", "base_url", "api_key_env", "sampling", "adapter", "price_in", "description")


@pytest.fixture(autouse=True)
def _planted(monkeypatch):
    monkeypatch.setenv("MY_API_KEY", PLANTED)


def problem(key: str, text: str) -> BadField:
    with pytest.raises(BadField) as caught:
        check_field(key, text)
    assert caught.value.key == key and caught.value.exit_code == 2 and isinstance(caught.value, RegistryError)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("name", "far.one/b_2+c-d"),
        ("backend", "vllm"),
        ("model", "qwen2.5:7b"),
        ("model", "~/weights/my model.gguf"),
        ("base_url", "http://127.0.0.1:11434/v1"),
        ("base_url", "https://[::1]:8000"),
        ("api_key_env", "OPENAI_API_KEY"),
        ("sampling", "temperature=0 max_tokens=300"),
        ("sampling", "temperature=0&stop=%0A&stop=END OF IT"),
        ("adapter", "out/lora"),
        ("assist", "on"),
        ("price_in", "0.15"),
        ("price_out", "0"),
        ("description", "what it is\nin two lines"),
        *((key, "  ") for key in FIELDS),
    ],
)
def test_what_will_do(key, text):
    check_field(key, text)


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("name", "two words", "letters, digits"),
        ("name", "human", "'human' already names a player"),
        ("name", "openai", "write openai:MODEL"),
        ("name", "x?temperature=0", "choose another name"),
        ("name", "bot:random", "choose another name"),
        ("backend", "opnai", "the backend must be one of openai, vllm"),
        ("model", "a\x1b[2J", "the model holds characters that cannot be shown"),
        ("base_url", "localhost:8000", "the base_url must be http://HOST:PORT/v1"),
        ("base_url", "ftp://h", "the base_url must be"),
        ("base_url", "http://h:port/v1", "the base_url must be"),
        ("base_url", f"http://me:{KEY}@h/v1", "the base_url must be"),
        ("base_url", f"http://h/v1?key={KEY}", "the base_url must be"),
        ("base_url", f"http://h/{KEY}/v1", "the base_url holds what looks like a key"),
        ("api_key_env", "MY-KEY", "the api_key_env must be the name of an environment variable"),
        ("api_key_env", KEY, "the api_key_env must be the name"),
        ("api_key_env", "a1B2c3D4e5F6a7B8c9D0e1F2", "the api_key_env holds what looks like a key"),
        ("sampling", "temp=1", "did you mean temperature"),
        ("sampling", "temperature=hot", "temperature=hot does not do"),
        ("sampling", "temperature=0 max_tokens", "'max_tokens' is no setting: write KEY=VALUE"),
        ("sampling", "top_p=0", "above 0, up to 1"),
        ("sampling", "timeout=9", "it stands behind a name, as in NAME?timeout=…"),
        ("sampling", "api_key_env=X", "it has a field of its own"),
        ("sampling", f"stop={KEY}", "the sampling holds what looks like a key"),
        ("sampling", "top_k=1 top_k=2", "top_k is given twice"),
        ("assist", "perhaps", "on or off"),
        ("price_in", "-1", "the price_in must be US dollars per million tokens"),
        ("price_out", "cheap", "the price_out must be US dollars"),
        ("price_out", "nan", "the price_out must be US dollars"),
        ("price_in", "inf", "the price_in must be US dollars"),
        ("description", f"my key is {KEY}", "the description holds what looks like a key"),
    ],
)
def test_what_will_not_do_is_said_in_the_words_of_whoever_asks(key, text, said):
    error = problem(key, text)
    assert said in error.called(f"the {key}"), str(error)
    assert str(error) == error.called(key) and KEY not in str(error)


@given(st.sampled_from(FIELDS), st.sampled_from([KEY, PLANTED]), st.text(max_size=20), st.text(max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_field_takes_a_key_and_no_sentence_repeats_one(key, secret, before, after):
    for text in (secret, f"{before} {secret} {after}", f"temperature={secret}", f"stop={secret}"):
        try:
            check_field(key, text)
        except BadField as error:
            assert secret not in str(error) and secret not in repr(error)
        else:
            pytest.fail(f"{key} took {text!r}")


def test_fields_are_read_as_they_are_typed():
    found = typed(
        {
            "model": " m ",
            "sampling": "temperature=0.5  max_tokens=30 stop=a b  stop=%0A",
            "price_in": "1",
            "assist": "off",
            "adapter": " ",
        },
        {"backend": "openai", "adapter": "old", "description": "stays"},
    )
    assert found == {
        "backend": "openai",
        "model": "m",
        "sampling": {"temperature": 0.5, "max_tokens": 30, "stop": ("a b", "\n")},
        "price_in": 1.0,
        "assist": False,
        "description": "stays",
    }
    assert "sampling" not in typed({"sampling": ""}, {"sampling": {"top_k": 1}})


def test_a_space_or_an_ampersand_stands_between_settings():
    assert read_settings("top_k=1 seed=2") == read_settings("top_k=1&seed=2") == {"top_k": 1, "seed": 2}
    with pytest.raises(BadField, match="write KEY=VALUE"):
        read_settings("top_k=1 or so")


@pytest.mark.parametrize(
    ("table", "key", "said"),
    [
        ({}, "backend", "backend must be one of"),
        ({"backend": "openai"}, "model", "model is missing"),
        ({"backend": "openai", "model": ""}, "model", "model is missing"),
        ({**GOOD, "model": 3}, "model", "model must be a text"),
        ({**GOOD, "assist": "yes"}, "assist", "assist must be true or false"),
        ({**GOOD, "assist": 1}, "assist", "assist must be true or false"),
        ({**GOOD, "price_in": "1"}, "price_in", "price_in must be a number"),
        ({**GOOD, "price_in": True}, "price_in", "price_in must be a number"),
        ({**GOOD, "sampling": []}, "sampling", "sampling must be a table"),
        ({**GOOD, "sampling": {"adapter": "x"}}, "sampling", "it has a field of its own"),
        ({**GOOD, "key": KEY}, "key", "api_key_env"),
        ({**GOOD, "api_key": KEY}, "api_key", "api_key_env"),
        ({**GOOD, "baseurl": "u"}, "baseurl", "did you mean base_url"),
        ({**GOOD, "source": "built in"}, "source", "no key 'source'"),
    ],
)
def test_a_table_that_will_not_do(table, key, said):
    with pytest.raises(BadField) as caught:
        checked("x", table)
    assert caught.value.key == key and said in str(caught.value) and KEY not in str(caught.value)


def test_a_table_becomes_an_entry_and_a_table_again():
    table = {
        "backend": "vllm",
        "model": "m",
        "sampling": {"temperature": 0.0, "stop": ("\n",), "thinking": False},
        "extra_body": {"cache_prompt": True},
        "assist": False,
        "price_in": 0.0,
    }
    entry = checked("x", table)
    assert table_of(entry) == table and checked("x", table_of(entry)) == entry
    assert table_of(ModelEntry("x", "openai", "m")) == GOOD


@pytest.mark.parametrize(
    "more",
    [
        {"model": KEY},
        {"base_url": f"http://h/{KEY}"},
        {"adapter": KEY},
        {"revision": KEY},
        {"description": f"a {KEY}"},
        {"sampling": {"stop": (KEY,)}},
        {"extra_body": {"headers": {"Authorization": f"Bearer {KEY}"}}},
        {"extra_body": {"deep": [{"er": PLANTED}]}},
        {"description": PLANTED},
    ],
)
def test_no_entry_with_a_key_may_be_written(more):
    with pytest.raises(BadField, match="looks like a key") as caught:
        refuse_keys(ModelEntry(**{"name": "x", **GOOD, **more}))
    assert KEY not in str(caught.value) and PLANTED not in str(caught.value)
