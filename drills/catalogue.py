"""All drills, by id, in the order of the runbook's scenarios."""

from drills.drill import Drill
from drills.weather_iot import (
    athena,
    batch_ingest,
    delivery,
    erasure,
    quarantine,
    repair,
    stream_generate,
    terraform_apply,
    transform,
    watch,
)

_SCENARIOS = (
    batch_ingest, stream_generate, delivery, transform, athena, terraform_apply, watch, quarantine, repair,
    erasure,
)  # fmt: skip


def drills() -> dict[str, Drill]:
    """Id => drill."""
    return {drill.id: drill for scenario in _SCENARIOS for drill in scenario.DRILLS}
