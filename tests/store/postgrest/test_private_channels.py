"""The policies for private channels, asked the way that Realtime asks them.

Source: supabase/realtime, lib/realtime/tenants/authorization.ex: in a transaction, with the topic set and under the
role of the key, it inserts a row of each extension and reads those it has put there, and rolls back.
"""

import pytest

from tests.store.postgrest.cluster import MIGRATIONS, Cluster

_REALTIME = """
CREATE SCHEMA realtime AUTHORIZATION postgres;
GRANT USAGE ON SCHEMA realtime TO anon, authenticated;
SET ROLE postgres;
CREATE TABLE realtime.messages (id bigint GENERATED ALWAYS AS IDENTITY, topic text NOT NULL, extension text NOT NULL);
CREATE FUNCTION realtime.topic() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT nullif(current_setting('realtime.topic', true), '')::text $$;
GRANT SELECT, INSERT ON realtime.messages TO anon, authenticated;
ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY;
"""


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> str:
    name = cluster.database()
    cluster.sql(_REALTIME, name)
    for migration in MIGRATIONS * 2:
        cluster.run_file(migration, name)
    return name


def may(cluster: Cluster, database: str, topic: str, extension: str, role: str = "anon") -> tuple[bool, bool]:
    """Whether it may send there, and whether it may receive."""
    row = f"INSERT INTO realtime.messages (topic, extension) VALUES ('{topic}', '{extension}')"
    ask = f"BEGIN; SET LOCAL ROLE {role}; SELECT set_config('realtime.topic', '{topic}', true)"
    try:
        cluster.sql(f"{ask}; {row}; ROLLBACK", database)
        sends = True
    except AssertionError as refused:
        assert "row-level security" in str(refused)
        sends = False
    cluster.sql(row, database)
    *_, seen = cluster.sql(f"{ask}; SELECT count(*) FROM realtime.messages WHERE topic = '{topic}'; ROLLBACK", database)
    cluster.sql("DELETE FROM realtime.messages", database)
    return sends, seen == "1"


@pytest.mark.parametrize("extension", ["broadcast", "presence"])
@pytest.mark.parametrize("role", ["anon", "authenticated"])
@pytest.mark.parametrize("topic", ["room:ABC123", "room:MUSIC-42"])
def test_rooms_are_open(cluster: Cluster, database: str, topic: str, extension: str, role: str) -> None:
    assert may(cluster, database, topic, extension, role) == (True, True)


@pytest.mark.parametrize("topic", ["room:", "room:abc123", "ABC123", "xroom:ABC123", "room:ABC123:more", "admin"])
def test_other_topics_are_not(cluster: Cluster, database: str, topic: str) -> None:
    assert may(cluster, database, topic, "broadcast") == (False, False)


def test_other_extensions_are_not(cluster: Cluster, database: str) -> None:
    assert may(cluster, database, "room:ABC123", "postgres_changes") == (False, False)


def test_without_realtime_nothing_is_made_and_it_is_said(cluster: Cluster) -> None:
    database = cluster.database()

    assert "no Supabase Realtime" in cluster.run_file(MIGRATIONS[2], database)
