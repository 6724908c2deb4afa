"""Proves mutants harmless: the mutated design does what the sound one does, whatever comes in.

Three proofs are tried. Two, of the mutated module and of the whole design, are without time: with
the same state and the same inputs, outputs and next state are the same. As both designs are alike
out of reset, they stay alike. State that reaches no output, at any time, is left out. The third, of
the mutated module again, lets the states differ: outputs are the same in every clock from the first
on, by induction over a number of clocks.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from mutant_build import MUTATED
from mutants import NETLIST, Mutant
from yosys_script import run_yosys

_PORTS = """design -reset
read_rtlil {netlist}
{mutate}
hierarchy -top {module}
{cut}
flatten
select -set outside t:*
expose -evert @outside
memory_map
opt_clean
"""
_HALF = f"""{_PORTS}dffunmap
simplemap t:$dff t:$mux
setattr -unset init w:*
opt_clean -purge
select -set registers t:$_DFF_P_ %co1:+$_DFF_P_[Q] w:* %i
rename -hide w:* @registers %d
rename -top {{name}}
design -stash {{name}}
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
_TIMED_HALF = f"{_PORTS}rename -top {{name}}\ndesign -stash {{name}}\n"
# Seconds for each of the clocks.
_CLOCKS, _SECONDS = 18, 2
# From what the registers hold at first, which is what reset puts there.
_INDUCTION = f"""design -reset
design -copy-from gold -as gold gold
design -copy-from gate -as gate gate
miter -equiv -flatten gold gate miter
hierarchy -top miter
opt -full
dffunmap
sat -tempinduct -prove trigger 0 -seq 1 -maxsteps {_CLOCKS} -timeout {_SECONDS} miter
"""
_ALONE = "select -set children =* {module} %d\nblackbox @children"
_MEMORIES = ("darb_rom", "darb_loadable_rom", "darb_ram")
_WITHOUT_MEMORIES = f"blackbox {' '.join(f'=*{name}' for name in _MEMORIES)}"
_MODULE = r"^module \\?{}\n.*?^end$"
_MOST_BITS = 40_000
_PROVEN, _INDUCED = "Equivalence successfully proven!", "Induction step proven: SUCCESS!"


def _halves(mutant: Mutant, half: str, module: str, cut: str) -> str:
    return "".join(
        half.format(netlist=NETLIST, mutate=mutate, module=module, cut=cut, name=name)
        for name, mutate in (("gold", ""), ("gate", f"mutate {mutant.options}"))
    )


def _proven(directory: Path, mutant: Mutant, module: str, cut: str) -> bool:
    script = _halves(mutant, _HALF, module, cut) + _JOIN
    return _PROVEN in run_yosys(directory, script, check=False)


def _induced(directory: Path, mutant: Mutant) -> bool:
    cut = _ALONE.format(module=mutant.module)
    script = _halves(mutant, _TIMED_HALF, mutant.module, cut) + _INDUCTION
    return _INDUCED in run_yosys(directory, script, check=False)


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
        memories any. ``induction``: the module alone, over a number of clocks.
    """
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(netlist, directory / NETLIST)
    module = re.search(_MODULE.format(re.escape(mutant.module)), netlist.read_text(), re.S | re.M)
    sizes = re.findall(r"^  memory width (\d+) size (\d+) ", module[0], re.M) if module else []
    # Each of its bits would be a flip-flop.
    if sum(int(width) * int(depth) for width, depth in sizes) > _MOST_BITS:
        return None
    if _proven(directory, mutant, mutant.module, _ALONE.format(module=mutant.module)):
        return "module"
    # What stands in a memory is not looked at in the second proof.
    inside_memory = mutant.module.rpartition("\\")[2] in _MEMORIES
    if not inside_memory and _proven(directory, mutant, MUTATED, _WITHOUT_MEMORIES):
        return "design"
    if not inside_memory and _induced(directory, mutant):
        return "induction"
    return None
