"""Which component of the design a cell of the netlist belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SCOPE = re.compile(r'"([^"\s]+)": \{\s*"hide_name": \d+,\s*"type": "\$scopeinfo"')
_INNER = "engine."
TOP_LEVEL = "top level"


@dataclass(frozen=True)
class Hierarchy:
    """The components of a flattened netlist.

    Parameters
    ----------
    scopes : frozenset of str
        Their dotted paths.
    """

    scopes: frozenset[str]

    @classmethod
    def read(cls, netlist: str, listed: str = "") -> Hierarchy:
        """Take the components from the JSON text that yosys writes, and from a list of its own.

        A line of the list is the top module, a slash and a path.
        """
        paths = {line.partition("/")[2] for line in listed.splitlines()}
        return cls(frozenset(_SCOPE.findall(netlist)) | paths - {""})

    def component(self, cell: str) -> str:
        """Return the path of the innermost component that holds `cell`.

        Inside the engine, from there: ``core.engine.engine.post`` is ``post``.
        """
        parts = cell.split(".")
        for length in range(len(parts), 0, -1):
            path = ".".join(parts[:length])
            if path in self.scopes:
                return path.rpartition(_INNER)[2]
        return TOP_LEVEL
