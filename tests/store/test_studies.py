"""Studies in the log: who takes part in which place, what they answered, and when a study is full."""

from __future__ import annotations

import threading

import pytest

from store import studies
from store.log import Log
from store.studies import StudyFull, UnknownStudy

CONFIG = {"quota": 3}


def come(log, study, person, quota=3, hours=24.0, level="local", **more):
    return studies.join(
        log, study, person, level=level, quota=quota, hours=hours, plan=lambda place: [{"place": place}],
        consent={"agreed": True}, **more,
    )  # fmt: skip


def test_a_study_is_its_file(log):
    first = studies.add_study(log, "s", CONFIG)
    assert studies.add_study(log, "s", dict(CONFIG)) == first and first.run is not None
    other = studies.add_study(log, "s", {"quota": 4})
    assert other.id != first.id and studies.get_study(log.reader(), first.id[:12]) == first
    with pytest.raises(UnknownStudy, match="several studies are called 's'"):
        studies.get_study(log.reader(), "s")
    with pytest.raises(UnknownStudy, match="no study 'x' in the log; there are: s"):
        studies.get_study(log.reader(), "x")
    assert {row.id for row in studies.all_studies(log.reader())} == {first.id, other.id}
    assert log.queries.run(first.run).kind == "study"


def test_people_come_to_places_one_after_the_other_and_once(log):
    study = studies.add_study(log, "s", CONFIG).id
    ann, bo = come(log, study, "ann"), come(log, study, None)
    assert (ann.place, bo.place, ann.plan) == (0, 1, ({"place": 0},)) and come(log, study, "ann") == ann
    assert ann.code != bo.code and len(ann.code) == 8 and come(log, study, "cy", code="ALL").code == "ALL"
    with pytest.raises(StudyFull, match="asks for 3 people, and has them"):
        come(log, study, "di")
    assert log.people.find("di") is None  # who cannot take part is not kept
    assert come(log, study, "bo" if bo.person == "bo" else bo.person) == bo  # but who does may go on


def test_the_place_of_somebody_who_left_is_given_to_the_next(log):
    study = studies.add_study(log, "s", CONFIG).id
    done, left = come(log, study, "ann"), come(log, study, "bo")
    studies.finish(log, done.id)
    assert come(log, study, "cy", hours=0.0).place == left.place
    assert come(log, study, "di", hours=0.0).place == left.place
    (person,) = [one for one in studies.participants(log.reader(), study) if one.person == "ann"]
    assert person.finished_at is not None and come(log, study, "bo") == left  # who left may still come back


def test_agreeing_to_the_study_never_takes_consent_away(log):
    study = studies.add_study(log, "s", CONFIG).id
    log.people.add("public", "ann")
    log.people.add("local", "bo")
    log.people.add("research", "cy")
    log.people.withdraw("cy")
    for name in ("ann", "bo", "cy"):
        come(log, study, name, level="research")
    assert [log.people.get(name).consent for name in ("ann", "bo", "cy")] == ["public", "research", "research"]
    assert log.people.get("cy").withdrawn_at is None and log.people.get("bo").consent_version.startswith("study ")


def test_answers_are_kept_in_order_and_may_be_changed(log):
    study = studies.add_study(log, "s", CONFIG).id
    me = come(log, study, "ann")
    studies.answer(log, me.id, "age", 30)
    studies.answer(log, me.id, "words", "so\x00 und\ud800 so")
    studies.answer(log, me.id, "age", 31)
    found = studies.answers(log.reader(), me.id)
    assert found["age"] == 31 and found["consent"] == {"agreed": True} and "und" in found["words"]


def test_many_who_come_at_once_get_a_place_each(path, log):
    study = studies.add_study(log, "s", CONFIG).id
    full: list[str] = []

    def one(name: str) -> None:
        with Log.open(path, wait=20) as own:
            try:
                come(own, study, name, quota=5)
            except StudyFull:
                full.append(name)

    threads = [threading.Thread(target=one, args=(f"p{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    places = [one.place for one in studies.participants(log.reader(), study)]
    assert sorted(places) == [0, 1, 2, 3, 4] and len(full) == 3
