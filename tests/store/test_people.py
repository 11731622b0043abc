"""Pseudonyms and consent."""

from __future__ import annotations

import re

import pytest

from store import people
from store.errors import UnknownPerson
from store.people import CONSENT, LEVELS, Person, pseudonym


def test_pseudonyms_are_readable_and_random():
    found = {pseudonym() for _ in range(200)}
    assert len(found) > 190
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-\d{3}", name) for name in found)
    assert len(set(people._FIRST.split())) * len(set(people._SECOND.split())) > 3000


def test_every_language_has_an_answer_for_every_level():
    for consent in CONSENT.values():
        assert set(consent.answers) == set(LEVELS)
        assert next(iter(consent.answers)) == people.DEFAULT, "the first answer is the default"
        assert len(consent.text) > 200


def test_the_default_is_this_machine_only(log):
    person = log.people.add()
    assert person.consent == "local" and person.consent_version == people.VERSION
    assert person.may_record and person.allows("local") and not person.allows("research")
    assert log.people.find(person.id) == person and log.people.all() == [person]


@pytest.mark.parametrize(
    ("consent", "allowed"),
    [
        ("none", []),
        ("local", ["local"]),
        ("research", ["local", "research"]),
        ("public", ["local", "research", "public"]),
    ],
)
def test_levels_imply_lower_ones(consent, allowed):
    person = Person("x", consent, "1", "", None, "")
    assert [level for level in LEVELS[1:] if person.allows(level)] == allowed
    assert not Person("x", consent, "1", "", "2026", "").allows("local")


def test_a_change_of_mind_and_a_withdrawal(log):
    person = log.people.add("public")
    assert log.people.agree(person.id, "local").consent == "local"
    gone = log.people.withdraw(person.id)
    assert gone.withdrawn_at and not gone.may_record
    assert log.people.withdraw(person.id).withdrawn_at == gone.withdrawn_at
    assert log.people.agree(person.id, "research").may_record


def test_a_taken_pseudonym_is_not_given_twice(log, monkeypatch):
    names = iter(["a-b-100", "a-b-100", "a-b-100", "c-d-200"])
    monkeypatch.setattr(people, "pseudonym", lambda: next(names))
    assert [log.people.add().id, log.people.add().id] == ["a-b-100", "c-d-200"]


def test_a_chosen_pseudonym_must_be_free(log):
    assert log.people.add(id="guest-1").id == "guest-1"
    with pytest.raises(Exception, match="written this already"):
        log.people.add(id="guest-1")


def test_nobody_of_that_name(log):
    for ask in (log.people.get, log.people.withdraw, lambda id: log.people.agree(id, "local")):
        with pytest.raises(UnknownPerson, match="nobody is called 'x'"):
            ask("x")
    assert log.people.find("x") is None
    with pytest.raises(Exception, match="no level of consent 'maybe'"):
        log.people.add("maybe")
