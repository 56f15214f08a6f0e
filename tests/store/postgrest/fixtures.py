"""A Supabase project without Supabase: started once, emptied for each test."""

from collections.abc import Iterator

import pytest

from tests.store.postgrest.cluster import MIGRATIONS, Cluster, PostgrestServer, open_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with open_cluster() as opened:
        yield opened


@pytest.fixture(scope="session")
def shared_project(cluster: Cluster) -> Iterator[PostgrestServer]:
    with cluster.project(*MIGRATIONS) as opened:
        yield opened


@pytest.fixture
def project(shared_project: PostgrestServer) -> PostgrestServer:
    """With the shipped SQL, and no sessions."""
    shared_project.sql("DELETE FROM public.sessions")
    return shared_project
