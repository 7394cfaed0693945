"""Groups of commands that are imported when they are used, so that every command starts at once.

Help is plain text for the same reason: to lay it out with rich takes longer than all the rest.
"""

from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_group

# Typer's own types of contexts and commands are not public.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false


class RootGroup(TyperGroup):
    """A group whose help shows its commands under the headings of their panels."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            panel = str(getattr(command, "rich_help_panel", None) or "Commands")
            panels.setdefault(panel, []).append((name, command.get_short_help_str(limit=100)))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


class LazyGroup(TyperGroup):
    """A group whose commands are those of a `typer.Typer` elsewhere."""

    def __init__(self, *, name: str, help: str, module: str, attribute: str, panel: str) -> None:
        super().__init__(
            name=name, help=help, rich_help_panel=panel, rich_markup_mode=None, no_args_is_help=True
        )
        self._module, self._attribute = module, attribute

    def list_commands(self, ctx: Any) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        if not self.commands:
            app = cast(typer.Typer, getattr(import_module(self._module), self._attribute))
            app.rich_markup_mode = None
            self.commands.update(get_group(app).commands)
