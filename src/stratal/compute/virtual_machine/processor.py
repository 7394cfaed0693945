"""What processor a guest sees. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from stratal.compute.domain import CpuMode
from stratal.kernel.errors import Invalid

FIELDS: Final = ("cpu_mode", "cpu_model")


def complete(said: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Mode and model, which only the mode custom has: it goes with that mode, and comes with it.

    With `before`, those that are to change. Raises Invalid where what was said does not go together.
    """
    mode = said.get("cpu_mode", (before or {}).get("cpu_mode"))
    if mode is not CpuMode.CUSTOM:
        if said.get("cpu_model") is not None:
            raise Invalid(field="spec.cpu_model", reason=f"is for the cpu_mode custom, and not for {mode}")
        return {"cpu_mode": mode, "cpu_model": None}
    model = said.get("cpu_model", (before or {}).get("cpu_model"))
    if model is None:
        raise Invalid(
            field="spec.cpu_model", reason="is needed where cpu_mode is custom: such as Nehalem or EPYC"
        )
    return {"cpu_mode": mode, "cpu_model": model}
