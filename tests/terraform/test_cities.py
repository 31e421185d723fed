"""Cities that cannot be told apart, or are at no place, are refused at the plan."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.conftest import REPOSITORY, Resources, Run

CITIES = REPOSITORY / "terraform/pipelines/weather_iot/0_cities.tf"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root of the pipeline's cities alone, which says what is made of them."""
    output = 'output "keys" {\n  value = local.cities[*].key\n}\n'
    (tmp_path / "main.tf").write_text(f"{CITIES.read_text(encoding='utf-8')}\n{output}", encoding="utf-8")
    return tmp_path


def planned(root: Path, terraform: Run, cities: list[dict[str, Any]]) -> tuple[int, str]:
    """Exit code and words of a plan with these cities."""
    placed = [{"latitude": 48.9, "longitude": 2.4, **city} for city in cities]
    (root / "cities.auto.tfvars.json").write_text(json.dumps({"cities": placed}), encoding="utf-8")
    done = terraform(root, "plan", "-input=false", "-no-color")
    return done.returncode, " ".join((done.stdout + done.stderr).replace("│", " ").split())


@pytest.mark.parametrize(
    ("cities", "words"),
    [
        ([{"name": "Paris"}, {"name": "Paris", "key": "p"}], "Two cities have one name: Paris, Paris."),
        ([{"name": "Brasília", "key": "a"}, {"name": "Brasi\u0301lia", "key": "b"}], "Two cities have one name"),
        ([{"name": "New York"}, {"name": "new-york"}], "Two cities have one key, by which their objects are named"),
        ([{"name": "Brasilia"}, {"name": "Brasília", "key": "brasilia"}], "Two cities have one key"),
        ([{"name": "東京"}], 'needs a key, as in { name = "Brasília", key = "brasilia", … }: 東京.'),
        ([{"name": "Oslo"}, {"name": "---"}], 'needs a key, as in { name = "Brasília", key = "brasilia", … }: ---.'),
        ([{"name": "Paris", "key": "Paris/x"}], "joined by underscores: Paris/x."),
        ([{"name": "Paris", "key": ""}], "A key is words of a-z and 0-9"),
        ([{"name": " Paris"}], "without letters that nobody sees"),
        ([{"name": "Par\u200bis", "key": "paris"}], "without letters that nobody sees"),
        ([{"name": "", "key": "x"}], "without letters that nobody sees"),
        ([{"name": "Paris", "latitude": 90.1}], "at most 90 degrees north or south"),
        ([{"name": "Paris", "longitude": -181}], "180 degrees east or west"),
        ([{"name": "Paris", "latitude": "1e999"}], "at most 90 degrees north or south"),
        ([{"name": "Paris", "latitude": "nan"}], "a number is required"),
    ],
)
def test_cities_that_nobody_could_tell_apart_or_find_are_refused_at_the_plan(
    root: Path, terraform: Run, cities: list[dict[str, Any]], words: str
) -> None:
    code, said = planned(root, terraform, cities)
    assert code != 0
    assert words in said
    assert "Error in function call" not in said


def test_a_name_in_ascii_makes_the_key_and_any_other_has_its_own(root: Path, terraform: Run) -> None:
    names = [{"name": "New York"}, {"name": "St. John's, N.L."}, {"name": "München", "key": "muenchen"}]
    code, said = planned(root, terraform, names)
    assert code == 0, said
    assert '"new_york", + "st_john_s_n_l", + "muenchen",' in said


def test_the_functions_get_the_keys(first: Resources) -> None:
    for function in ("batch_ingest", "stream_generate"):
        (made,) = [
            values
            for address, values in first.items()
            if address.endswith(f"module.{function}.aws_lambda_function.this")
        ]
        cities = json.loads(made["environment"][0]["variables"]["CITIES"])
        assert {city["name"]: city["key"] for city in cities}["Brasília"] == "brasilia"
        assert all(city["key"] for city in cities)
