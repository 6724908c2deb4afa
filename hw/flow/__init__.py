"""From an image to a bitstream with open tools: projects, steps, caches, contents, reports."""

from darb.hw.flow.build import build
from darb.hw.flow.build_report import BuildReport
from darb.hw.flow.project import generate_project
from darb.hw.flow.step import BuildError

__all__ = ["BuildError", "BuildReport", "build", "generate_project"]
