"""Components broken on purpose: what notices nothing in them proves nothing."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType


def seeded_bug(component: type, sound: str, broken: str) -> type:
    """Return `component` as it would be with `broken` in its source file in place of `sound`.

    `sound` must stand there exactly once, so that a change of the source is not overlooked.
    """
    module = sys.modules[component.__module__]
    source = inspect.getsource(module)
    count = source.count(sound)
    assert count == 1, f"{sound!r} stands {count} times in {module.__name__}"
    changed = ModuleType(f"{module.__name__}_broken")
    exec(compile(source.replace(sound, broken), changed.__name__, "exec"), changed.__dict__)
    return getattr(changed, component.__name__)
