"""What a bundle must not tell is known, wherever it stands."""

from pathlib import Path

import pytest

from jambridge import identity
from jambridge.config import Config
from jambridge.doctor import bundle
from jambridge.doctor.everything import Patient


def patient(**sections: object) -> Patient:
    return Patient(Config.model_validate(sections), "config.yaml", None, None)


def test_secrets_that_systemd_hands_over_are_known_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("JAMBRIDGE_STATE", str(tmp_path / "state"))
    names = ("supabase-key", "turn-secret", "turn-credential", "mqtt-password")
    for name in names:
        (tmp_path / f"jambridge.{name}").write_text(f"the {name}\n")

    known = bundle.secrets(
        patient(
            supabase={"url": "https://x.supabase.co", "anon_key_file": "jambridge.supabase-key"},
            mqtt={"host": "broker", "password_file": "jambridge.mqtt-password"},
            webrtc={
                "ice_servers": [
                    {"urls": "turn:t", "secret_file": "jambridge.turn-secret"},
                    {"urls": "turn:u", "username": "band", "credential_file": "jambridge.turn-credential"},
                ]
            },
        ),
        None,
    )

    assert known >= {f"the {name}" for name in names}


def test_the_room_of_a_box_that_does_not_run_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAMBRIDGE_STATE", str(tmp_path))

    assert bundle.secrets(patient(), None) == frozenset()
    own = identity.load(tmp_path)
    assert bundle.secrets(patient(), None) == {own.room}
