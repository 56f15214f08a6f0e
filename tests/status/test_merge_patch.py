"""Source of the rule: RFC 7396, section 2."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jambridge.status import merge_patch

values = st.recursive(
    st.integers(0, 3) | st.text("ab", max_size=2) | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def apply(target: Any, patch: Any) -> Any:
    """As the RFC writes it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply(result.get(name), value)
    return result


@given(objects, objects)
def test_the_patch_leads_from_one_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert apply(before, merge_patch.between(before, after)) == after


@given(objects)
def test_between_equals_there_is_nothing(one: dict[str, Any]) -> None:
    assert merge_patch.between(one, one) == {}


def test_only_what_changed_is_told_and_lists_whole() -> None:
    before = {"room": {"code": "ABC123", "people": ["Ann"]}, "state": {"tempo": 120, "key": "C"}}
    after = {"room": {"code": "ABC123", "people": ["Ann", "Bob"]}, "state": {"tempo": 96, "key": "C"}}

    assert merge_patch.between(before, after) == {"room": {"people": ["Ann", "Bob"]}, "state": {"tempo": 96}}
