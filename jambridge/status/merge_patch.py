"""What has changed between two JSON objects, as a JSON merge patch. Pure. Source: RFC 7396."""

from jambridge.strict_json import JsonObject


def between(before: JsonObject, after: JsonObject) -> JsonObject:
    """The smallest patch from one to the other; empty where nothing changed. Lists are replaced whole.

    A null in `after` cannot be told from a missing key by RFC 7396, whose null removes: who applies the patch to read a
    known shape takes both for "none".
    """
    patch: JsonObject = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            if inner := between(old, value):
                patch[name] = inner
        elif old != value or name not in before:
            patch[name] = value
    return patch
