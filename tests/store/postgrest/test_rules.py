"""What the shipped SQL allows and forbids, asked of a real PostgREST with the public key."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import UsageError
from jambridge.room import code
from jambridge.store import record
from tests.store.postgrest.cluster import ANON_KEY, MIGRATIONS, SERVICE_KEY, Cluster, PostgrestServer, jwt

REPRESENTATION = {"Prefer": "return=representation"}
UPSERT = {"Prefer": "resolution=merge-duplicates,return=representation"}
NOT_ALLOWED = 401  # PostgREST answers 403 to those who have signed in
SIGNED_IN_NOT_ALLOWED = 403
VIOLATED = 400
ONE = {"id": "ABC123", "state": {"music": {"tempo": 140}}}
MANY_BYTES = 96 * 1024
SMALL_BYTES = 64 * 1024


def client(project: PostgrestServer, key: str) -> httpx.Client:
    return httpx.Client(base_url=project.url, headers={"Authorization": f"Bearer {key}"}, timeout=20)


@pytest.fixture
def anon(project: PostgrestServer) -> Iterator[httpx.Client]:
    with client(project, ANON_KEY) as opened:
        yield opened


def insert(anon: httpx.Client, **changes: Any) -> httpx.Response:
    return anon.post("/sessions", json={**ONE, **changes}, headers=REPRESENTATION)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["code"])


def aged(project: PostgrestServer, hours: float, name: str = "OLD123") -> None:
    """As the owner: with the public key nobody can."""
    project.sql(f"INSERT INTO sessions (id, created_at) VALUES ('{name}', now() - interval '{hours} hours')")


def states(project: PostgrestServer) -> list[str]:
    return project.sql("SELECT id, state FROM sessions ORDER BY id")


def test_a_session_is_inserted_read_changed_and_upserted(anon: httpx.Client) -> None:
    made = insert(anon)
    changed = anon.patch("/sessions?id=eq.ABC123", json={"state": {"a": 1}}, headers=REPRESENTATION)
    upserted = anon.post("/sessions", json={"id": "ABC123", "state": {"a": 2}}, headers=UPSERT)
    read = anon.get("/sessions?select=*&id=eq.ABC123")

    assert [made.status_code, changed.status_code, upserted.status_code] == [201, 200, 200]
    assert read.json() == [{"id": "ABC123", "created_at": made.json()[0]["created_at"], "state": {"a": 2}}]


def test_the_table_is_the_one_of_the_contract(project: PostgrestServer) -> None:
    columns = project.sql(
        "SELECT column_name, data_type, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = 'sessions' ORDER BY ordinal_position"
    )
    indexes = project.sql("SELECT indexdef FROM pg_indexes WHERE tablename = 'sessions' ORDER BY indexname")

    assert columns == ["id|text|", "created_at|timestamp with time zone|now()", "state|jsonb|'{}'::jsonb"]
    assert [index.split(" USING ")[1] for index in indexes] == ["btree (created_at)", "btree (id)"]


def test_each_file_can_be_run_again(cluster: Cluster, anon: httpx.Client, project: PostgrestServer) -> None:
    insert(anon)
    for _ in range(2):
        for migration in MIGRATIONS:
            cluster.run_file(migration, project.database)

    assert states(project) == ['ABC123|{"music": {"tempo": 140}}']
    assert refusal(anon.delete("/sessions?id=eq.ABC123")) == (NOT_ALLOWED, "42501")


def test_nobody_deletes_with_the_public_key(anon: httpx.Client, project: PostgrestServer) -> None:
    insert(anon)

    assert refusal(anon.delete("/sessions?id=eq.ABC123")) == (NOT_ALLOWED, "42501")
    assert refusal(anon.delete("/sessions")) == (NOT_ALLOWED, "42501")
    assert len(states(project)) == 1


@pytest.mark.parametrize("body", [{"created_at": "2026-01-01T00:00:00Z"}, {"created_at": None}])
def test_the_beginning_of_a_session_cannot_be_moved(anon: httpx.Client, body: dict[str, Any]) -> None:
    before = insert(anon).json()

    assert refusal(anon.patch("/sessions?id=eq.ABC123", json=body)) == (NOT_ALLOWED, "42501")
    assert refusal(anon.post("/sessions", json={**ONE, **body}, headers=UPSERT)) == (NOT_ALLOWED, "42501")
    assert anon.get("/sessions").json() == before


@pytest.mark.parametrize("away", ["- interval '2 minutes'", "- interval '25 hours'", "+ interval '2 minutes'"])
def test_a_session_begins_now(anon: httpx.Client, project: PostgrestServer, away: str) -> None:
    (then,) = project.sql(f"SELECT now() {away}")

    assert refusal(insert(anon, created_at=then)) == (NOT_ALLOWED, "42501")
    assert refusal(insert(anon, created_at=None)) == (NOT_ALLOWED, "42501")
    assert states(project) == []


def test_an_expired_session_can_be_neither_read_nor_changed(anon: httpx.Client, project: PostgrestServer) -> None:
    aged(project, 24.01)

    assert anon.get("/sessions?select=*").json() == []
    assert anon.patch("/sessions?id=eq.OLD123", json={"state": {"a": 1}}, headers=REPRESENTATION).json() == []
    assert states(project) == ["OLD123|{}"]


def test_a_session_of_yesterday_evening_is_still_there(anon: httpx.Client, project: PostgrestServer) -> None:
    aged(project, 23.9)

    changed = anon.patch("/sessions?id=eq.OLD123", json={"state": {"a": 1}}, headers=REPRESENTATION)

    assert [row["state"] for row in changed.json()] == [{"a": 1}]


@pytest.mark.parametrize("headers", [REPRESENTATION, UPSERT], ids=["insert", "upsert"])
def test_the_code_of_an_expired_session_is_free_again(
    anon: httpx.Client, project: PostgrestServer, headers: dict[str, str]
) -> None:
    aged(project, 25)
    aged(project, 25, "OTHER1")

    answer = anon.post("/sessions", json={"id": "OLD123", "state": {"a": 1}}, headers=headers)

    assert answer.status_code == 201
    assert [row["id"] for row in anon.get("/sessions").json()] == ["OLD123"]
    assert states(project) == ['OLD123|{"a": 1}', "OTHER1|{}"]


def test_the_code_of_a_living_session_is_not_free(anon: httpx.Client) -> None:
    insert(anon)

    assert refusal(insert(anon, state={})) == (409, "23505")


def test_a_session_keeps_its_code(anon: httpx.Client, project: PostgrestServer) -> None:
    insert(anon)

    assert refusal(anon.patch("/sessions?id=eq.ABC123", json={"id": "OTHER1"})) == (NOT_ALLOWED, "42501")
    assert states(project)[0].startswith("ABC123|")


@pytest.mark.parametrize(
    "state",
    [{"text": "x" * MANY_BYTES}, {"text": "é" * (MANY_BYTES // 2)}, [], "text", 1, True, None],
    ids=["long", "many bytes", "array", "text", "number", "boolean", "null"],
)
def test_a_state_is_a_small_object(anon: httpx.Client, project: PostgrestServer, state: object) -> None:
    assert refusal(insert(anon, state=state)) == (VIOLATED, "23514")
    insert(anon)
    assert refusal(anon.patch("/sessions?id=eq.ABC123", json={"state": state})) == (VIOLATED, "23514")
    assert states(project) == ['ABC123|{"music": {"tempo": 140}}']


@pytest.mark.parametrize("one", [1, "é", {"a": 1}], ids=repr)
def test_a_small_state_fits_whatever_it_holds(anon: httpx.Client, one: object) -> None:
    """A small state is one of 64 KiB without blanks; PostgreSQL puts some in, and counts them."""
    size = len(json.dumps(one, separators=(",", ":"), ensure_ascii=False).encode()) + 1
    state = {"many": [one] * ((SMALL_BYTES - 20) // size)}
    assert SMALL_BYTES - 40 < len(record.encode(state).encode()) <= SMALL_BYTES

    assert insert(anon, state=state).status_code == 201


@pytest.mark.parametrize(
    "name", ["", "abc123", "ABC12", "ABC1234", "ABC123\n", "MUSIC-", "A-1", "LONGNAMES-1", "' OR 1=1 --"]
)
def test_an_id_is_a_room_code(anon: httpx.Client, project: PostgrestServer, name: str) -> None:
    assert refusal(insert(anon, id=name)) == (VIOLATED, "23514")
    assert states(project) == []


CODES = st.from_regex(r"[A-Z0-9]{5,7}|[A-Z0-9]{1,9}-[0-9]{1,3}|[A-Z0-9a-z -]{4,10}", fullmatch=True)


@pytest.fixture(scope="module")
def form(shared_project: PostgrestServer) -> str:
    """The condition on an id, as the database has it."""
    (check,) = shared_project.sql(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname LIKE 'sessions_id_is%'"
    )
    return check.removeprefix("CHECK ").removesuffix(" NOT VALID")


def is_code(text: str) -> bool:
    try:
        return code.parse(text) == text
    except UsageError:
        return False


@given(st.lists(CODES, min_size=1, max_size=20))
def test_the_database_takes_the_codes_that_the_bridge_takes(
    shared_project: PostgrestServer, form: str, texts: list[str]
) -> None:
    rows = ", ".join(f"({place}, '{text}'::text)" for place, text in enumerate(texts))

    theirs = shared_project.sql(f"SELECT {form} FROM (VALUES {rows}) AS tried(place, id) ORDER BY place")

    assert theirs == ["t" if is_code(text) else "f" for text in texts]


def test_other_tables_and_functions_are_out_of_reach(anon: httpx.Client, project: PostgrestServer) -> None:
    aged(project, 25)

    assert anon.get("/pg_roles").status_code == 404
    assert anon.get("/sessions", headers={"Accept-Profile": "pg_catalog"}).status_code == 406
    for function in ("delete_old_sessions", "sessions_free_an_expired_code", "sessions_keep_their_code"):
        assert anon.post(f"/rpc/{function}", json={}).status_code in {NOT_ALLOWED, 404}
    assert states(project) == ["OLD123|{}"]


@pytest.mark.parametrize(
    "statement", ["TRUNCATE sessions", "DROP TABLE sessions", "ALTER TABLE sessions DISABLE ROW LEVEL SECURITY"]
)
@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_nor_does_the_role_behind_the_key_hold_more(project: PostgrestServer, role: str, statement: str) -> None:
    with pytest.raises(AssertionError, match=r"permission denied|must be owner"):
        project.sql(f"SET ROLE {role}; {statement}")


def test_somebody_signed_in_has_the_rights_of_anybody(project: PostgrestServer) -> None:
    with client(project, jwt("authenticated", sub="someone")) as signed_in:
        assert insert(signed_in).status_code == 201
        assert refusal(signed_in.delete("/sessions?id=eq.ABC123")) == (SIGNED_IN_NOT_ALLOWED, "42501")
        assert refusal(insert(signed_in, id="OTHER1", created_at="2026-01-01T00:00:00Z")) == (
            SIGNED_IN_NOT_ALLOWED,
            "42501",
        )


def test_the_service_key_passes_by_all_of_it_and_so_is_refused_elsewhere(project: PostgrestServer) -> None:
    aged(project, 25)
    with client(project, SERVICE_KEY) as service:
        assert service.delete("/sessions?id=eq.OLD123").status_code == 204
    assert states(project) == []


def test_the_cleanup_deletes_only_what_is_old(anon: httpx.Client, project: PostgrestServer) -> None:
    insert(anon)
    aged(project, 23.9, "LATE01")
    aged(project, 24.1, "OLD123")
    aged(project, 1000, "OLD124")

    assert project.sql("SELECT delete_old_sessions()") == ["2"]
    assert [row.split("|")[0] for row in states(project)] == ["ABC123", "LATE01"]


def test_a_policy_that_opens_the_table_again_is_pointed_out(cluster: Cluster, project: PostgrestServer) -> None:
    project.sql('CREATE POLICY "Enable everything" ON sessions FOR ALL TO anon USING (true)')
    try:
        said = cluster.run_file(MIGRATIONS[1], project.database)
    finally:
        project.sql('DROP POLICY "Enable everything" ON sessions')

    assert 'the policy "Enable everything" applies as well' in said


def test_a_table_full_of_other_things_survives_the_rules(cluster: Cluster) -> None:
    database = cluster.database(MIGRATIONS[0])
    cluster.sql("INSERT INTO sessions (id, state) VALUES ('lower case', '[]'), ('ABC123', '{}')", database, "postgres")

    for migration in MIGRATIONS:
        cluster.run_file(migration, database)

    assert cluster.sql("SELECT id FROM sessions ORDER BY id", database) == ["ABC123", "lower case"]
