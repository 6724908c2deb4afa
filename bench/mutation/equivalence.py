"""Proves mutants harmless: the mutated design does what the sound one does, whatever comes in.

Two proofs are tried, of the mutated module and of the whole design. Both are without time: with the
same state and the same inputs, outputs and next state are the same. As both designs are alike out
of reset, they stay alike. State that reaches no output, at any time, is left out.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mutant_build import MUTATED
from mutants import NETLIST, Mutant
from yosys_script import run_yosys

_HALF = """design -reset
read_rtlil {netlist}
{mutate}
hierarchy -top {module}
{cut}
flatten
select -set outside t:*
expose -evert @outside
memory_map
opt_clean
dffunmap
simplemap t:$dff t:$mux
setattr -unset init w:*
opt_clean -purge
select -set registers t:$_DFF_P_ %co1:+$_DFF_P_[Q] w:* %i
rename -hide w:* @registers %d
rename -top {name}
design -stash {name}
"""
# Only registers and outputs are compared: a wire between them may well differ.
_JOIN = """design -reset
design -copy-from gold -as gold gold
design -copy-from gate -as gate gate
equiv_make gold gate equiv
hierarchy -top equiv
opt_merge
equiv_simple
equiv_status
"""
_ALONE = "select -set children =* {module} %d\nblackbox @children"
_MEMORIES = ("darb_rom", "darb_loadable_rom", "darb_ram")
_WITHOUT_MEMORIES = f"blackbox {' '.join(f'=*{name}' for name in _MEMORIES)}"
_PROVEN = "Equivalence successfully proven!"


def _proven(directory: Path, mutant: Mutant, module: str, cut: str) -> bool:
    halves = [
        _HALF.format(netlist=NETLIST, mutate=mutate, module=module, cut=cut, name=name)
        for name, mutate in (("gold", ""), ("gate", f"mutate {mutant.options}"))
    ]
    said = run_yosys(directory, "".join(halves) + _JOIN, check=False)
    (directory / "equivalence.log").write_text(said)
    return _PROVEN in said


def proof(netlist: Path, mutant: Mutant, directory: Path) -> str | None:
    """Return what part of the design suffices to prove a mutant harmless; None if none does.

    Parameters
    ----------
    netlist : Path
        Of the sound design.
    mutant : Mutant
    directory : Path
        To work in.

    Returns
    -------
    str or None
        ``module``: the mutated module alone, its submodules any. ``design``: all of it, its
        memories any.
    """
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(netlist, directory / NETLIST)
    if _proven(directory, mutant, mutant.module, _ALONE.format(module=mutant.module)):
        return "module"
    # What stands in a memory is not looked at in the second proof.
    inside_memory = mutant.module.rpartition("\\")[2] in _MEMORIES
    if not inside_memory and _proven(directory, mutant, MUTATED, _WITHOUT_MEMORIES):
        return "design"
    return None
