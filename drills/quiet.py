"""Hours or days in which nothing goes wrong: whatever rings then is a false alarm."""

from dataclasses import dataclass

from drills.lake import Lake
from drills.run import Say

HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Quiet:
    """The result of ``hours`` simulated hours: mails of false alarms, and the amount of data that was processed."""

    hours: int
    false_alarms: tuple[str, ...]
    runs: int
    messages: int
    weather_days: int

    @property
    def is_quiet(self) -> bool:
        """No alarm, and the lake was at work: a run each hour, a message of each sensor every five minutes."""
        days = self.hours // 24
        at_work = self.runs >= self.hours and self.messages >= self.hours * 12 and self.weather_days >= days
        return at_work and not self.false_alarms


def live(lake: Lake, hours: int, say: Say) -> Quiet:
    """Let so many hours pass, with all schedules at work, and look at what was mailed."""
    first, before = len(lake.mail()), _state(lake)
    for hour in range(hours):
        lake.advance(HOUR_SECONDS)
        if hour % 24 == 23 or hour == hours - 1:
            say(f"hour {hour + 1} of {hours}: {len(_false_alarms(lake, first))} false alarms")
    after = _state(lake)
    return Quiet(hours, _false_alarms(lake, first), *(now - then for now, then in zip(after, before, strict=True)))


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
