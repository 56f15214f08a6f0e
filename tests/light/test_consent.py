from dataclasses import replace

from jambridge.light import consent, wled
from jambridge.light.consent import Discover, Sighting, State
from jambridge.light.wled import Wled

OURS = "10.0.0.2"
A, B = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


def unit(mac: str, *, lip: str = "", overridden: bool = False) -> Wled:
    answer = {"mac": mac, "name": f"WLED {mac[0]}", "leds": {"count": 30}, "live": bool(lip), "lip": lip}
    return Wled("10.0.0.9", wled.parse_info(answer), wled.LiveConfig(), overridden)


def seen(mac: str, *, named: bool = False, present: bool = True, lip: str = "") -> Sighting:
    return Sighting(unit(mac, lip=lip), OURS, named=named, present=present)


def states(
    *sightings: Sighting,
    discover: Discover = "auto",
    adopted: tuple[str, ...] = (),
    expected: int = 0,
    settled: bool = True,
) -> dict[str, State]:
    verdicts = consent.decide(sightings, discover, adopted, expected, settled=settled)
    return {mac: verdict.state for mac, verdict in verdicts.items()}


def test_the_only_one_found_is_driven() -> None:
    assert states(seen(A)) == {A: "driven"}


def test_nothing_is_the_only_one_before_the_others_could_answer() -> None:
    assert states(seen(A), settled=False) == {A: "listed"}
    assert states(seen(A, named=True), settled=False) == {A: "driven"}


def test_of_several_only_the_named_and_the_adopted_are_driven() -> None:
    assert states(seen(A), seen(B)) == {A: "listed", B: "listed"}
    assert states(seen(A, named=True), seen(B)) == {A: "driven", B: "listed"}
    assert states(seen(A), seen(B), adopted=(B,)) == {A: "listed", B: "driven"}


def test_another_is_not_taken_while_the_chosen_one_is_away() -> None:
    assert states(seen(B), expected=1) == {B: "listed"}
    assert states(seen(B), adopted=(A,)) == {B: "listed"}
    assert states(seen(A, named=True, present=False), seen(B)) == {A: "absent", B: "listed"}


def test_what_answers_nonsense_is_faulty_once_it_is_missed() -> None:
    senseless = replace(seen(A), fault="no JSON")

    (still,) = consent.decide([senseless], "auto", (), 0, settled=True).values()
    (missed,) = consent.decide([replace(senseless, present=False)], "auto", (), 0, settled=True).values()

    assert still.state == "driven"
    assert missed == consent.Verdict("faulty", "no JSON")


def test_one_that_was_only_found_and_is_gone_does_not_count() -> None:
    assert states(seen(A, present=False), seen(B)) == {A: "absent", B: "driven"}


def test_a_list_is_only_a_list() -> None:
    assert states(seen(A), discover="list") == {A: "listed"}
    assert states(seen(A, named=True), discover="list", adopted=(A,)) == {A: "listed"}


def test_without_looking_the_named_are_driven() -> None:
    assert states(seen(A, named=True), discover="off") == {A: "driven"}


def test_one_that_somebody_else_streams_to_is_left_alone() -> None:
    assert states(seen(A, lip="10.0.0.77")) == {A: "foreign"}
    assert states(seen(A, named=True, lip="10.0.0.77")) == {A: "foreign"}


def test_our_own_stream_is_not_somebody_elses() -> None:
    assert states(seen(A, lip=OURS)) == {A: "driven"}


def test_every_verdict_says_why() -> None:
    verdicts = consent.decide([seen(A), seen(B, lip="10.0.0.77", named=True)], "auto", (), 0, settled=True)

    assert verdicts[A].reason == (
        "one of several: name it under light.controllers or run jambridge leds adopt aaaaaaaaaaaa"
    )
    assert verdicts[B].reason == "live from 10.0.0.77: left alone"


def test_a_users_override_is_told() -> None:
    sighting = replace(seen(A), wled=unit(A, overridden=True))

    (verdict,) = consent.decide([sighting], "auto", (), 0, settled=True).values()

    assert verdict == consent.Verdict("driven", "the only one found; overridden in WLED by its user")


def test_what_another_bridge_of_the_room_drives_is_left_alone() -> None:
    wishes = consent.decide([seen(A, named=True), seen(B)], "auto", (), 0, settled=True)

    verdicts = consent.agreed(wishes, {A, B})

    assert {mac: one.state for mac, one in verdicts.items()} == {A: "foreign", B: "listed"}
    assert verdicts[A].reason == "another bridge in this room drives it"
