"""Days in which nothing goes wrong: whatever rings then is a false alarm."""

from dataclasses import dataclass

from drills.lake import Lake
from drills.run import Say

HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Quiet:
    """What happened in ``days`` simulated days: mails of false alarms, and how much went through the lake meanwhile."""

    days: int
    false_alarms: tuple[str, ...]
    runs: int
    messages: int
    weather_days: int

    @property
    def is_quiet(self) -> bool:
        """No alarm, and the lake was at work: a run each hour, a message of each sensor every five minutes."""
        at_work = (
            self.runs >= self.days * 24 and self.messages >= self.days * 12 * 24 and self.weather_days >= self.days
        )
        return at_work and not self.false_alarms


def live(lake: Lake, days: int, say: Say) -> Quiet:
    """Let days pass, with all schedules at work, and look at what was mailed."""
    first, before = len(lake.mail()), _state(lake)
    for hour in range(days * 24):
        lake.advance(HOUR_SECONDS)
        if hour % 24 == 23:
            say(f"day {hour // 24 + 1} of {days}: {len(_false_alarms(lake, first))} false alarms")
    after = _state(lake)
    return Quiet(days, _false_alarms(lake, first), *(now - then for now, then in zip(after, before, strict=True)))


def _false_alarms(lake: Lake, first: int) -> tuple[str, ...]:
    return tuple(mail["subject"] for mail in lake.mail()[first:] if not mail["subject"].startswith("OK:"))


def _state(lake: Lake) -> tuple[int, int, int]:
    """Committed runs of the messages, messages in curated, days of weather in curated."""
    runs = "SELECT count(*) FROM pipeline_runs WHERE dataset = 'curated_sensor_readings' AND status = 'COMMITTED'"
    messages = "SELECT count(*) FROM curated_sensor_readings"
    weather_days = "SELECT count(DISTINCT date) FROM curated_weather"
    return _number(lake, runs), _number(lake, messages), _number(lake, weather_days)


def _number(lake: Lake, sql: str) -> int:
    return int(lake.query(sql)[0][0] or 0)
