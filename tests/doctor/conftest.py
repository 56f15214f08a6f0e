from tests.store.postgrest.fixtures import cluster, project, shared_project

__all__ = ["cluster", "project", "shared_project"]
