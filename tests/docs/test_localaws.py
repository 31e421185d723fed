"""localaws is a package for any pipeline: nothing in it names one of this repository's."""

import re
import unicodedata
from pathlib import Path

import pytest

from tests.docs.test_readme import tracked

REPOSITORY = Path(__file__).parents[2]


def names() -> set[str]:
    """Pipelines, datasets, simulators, recorded cities and the words that say what weather_iot measures."""
    pipelines = [path for path in (REPOSITORY / "contracts").iterdir() if path.is_dir()]
    # A name of one word is a word of the language too.
    named = [path.name for path in pipelines if "_" in path.name]
    datasets = [path.stem for pipeline in pipelines for path in pipeline.glob("*.yaml")]
    simulators = [path.name for path in (REPOSITORY / "simulators").glob("*/*") if (path / "recordings").is_dir()]
    recordings = list((REPOSITORY / "simulators").rglob("recordings/*.json"))
    cities = [path.name.partition("_")[0] for path in recordings]
    found = {*named, *datasets, *simulators, *cities, "open-meteo", "weather", "sensor"}
    return {_plain(name) for name in found}


def _plain(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(sign))


def words_of(text: str, searched: set[str]) -> set[str]:
    """The names that are in a text as words, in any case and with or without accents."""
    plain = _plain(text)
    return {name for name in searched if re.search(rf"(?<![a-z]){re.escape(name)}s?(?![a-z])", plain)}


def test_the_names_are_there() -> None:
    assert {"weather_iot", "raw_iot_sensors", "open_meteo", "paris", "brasilia", "melbourne"} <= names()


@pytest.mark.parametrize("text", ["Europe/Paris", "class Open_Meteo", "the Sensors", "def weather(day)", "Brasília"])
def test_a_name_is_noticed(text: str) -> None:
    assert words_of(text, names())


def test_no_file_of_localaws_names_a_pipeline_a_city_or_a_sensor() -> None:
    searched, files = names(), [path for path in tracked() if path.startswith("localaws/")]
    assert len(files) > 60
    named = {path: words_of(path + (REPOSITORY / path).read_text(encoding="utf-8"), searched) for path in files}
    assert {path: words for path, words in named.items() if words} == {}


def test_localaws_imports_nothing_of_this_repository() -> None:
    ours = {path.split("/")[0] for path in tracked() if path.endswith(".py")} - {"localaws"}
    pattern = re.compile(rf"^\s*(?:from|import) ({'|'.join(sorted(ours))})\b", re.MULTILINE)
    files = [path for path in tracked() if path.startswith("localaws/") and path.endswith(".py")]
    assert [path for path in files if pattern.search((REPOSITORY / path).read_text(encoding="utf-8"))] == []
