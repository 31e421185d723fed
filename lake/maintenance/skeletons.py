"""Skeletons of a dataset and of a pipeline: which files, with what in them, and which names AWS takes."""

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from lake.contract import model
from lake.contract.model import Contract
from lake.core.errors import LakeError
from lake.environment.deployment import PROJECT
from lake.environment.names import variable

FRESHNESS_HOURS = 2
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST_ENVIRONMENT = "prod"
# What is named after a pipeline or a dataset and leaves least room, with the characters that AWS takes.
_LIMITS = {
    "pipeline": ("IAM role", f"{PROJECT}-{{}}-transform-{_LONGEST_ENVIRONMENT}-schedule", 64),
    "dataset": ("Glue table", "quarantine_curated_{}", 255),
}
_LAYERS = ("raw_", "curated_", "quarantine_")
# Copied, so that all roots have the same provider.
_AS_THE_PLATFORM = ("versions.tf", ".terraform.lock.hcl")
# Said of a column in raw, and true of the same column in curated.
_KEPT = ("logicalType", "physicalType", "required", "classification", "logicalTypeOptions", "description", "quality")
_WEEKDAY = {
    "name": "weekday", "logicalType": "integer", "physicalType": "int", "required": True,
    "logicalTypeOptions": {"minimum": 1, "maximum": 7},
    "description": "Day of the week of timestamp, UTC; 1 is Monday.",
}  # fmt: skip


class NoSkeleton(LakeError):
    """A skeleton cannot be written here or under this name; the message says why."""


@dataclass(frozen=True)
class Made:
    """A curated dataset that is made from ``source``; ``key`` are columns of it, ``moment`` the one with the day."""

    name: str
    source: str
    key: Sequence[str]
    moment: str


@dataclass(frozen=True)
class Derived:
    """A dataset that is derived from ``inputs``; ``key`` are columns of the first, ``moment`` the one with the day."""

    name: str
    inputs: Sequence[str]
    key: Sequence[str]
    moment: str


def checkout(here: Path) -> Path:
    """Return the root of the repository that ``here`` is in; raises NoSkeleton when it is in none."""
    for folder in (here, *here.parents):
        if (folder / "contracts/schema.json").is_file() and (folder / "templates").is_dir():
            return folder
    raise NoSkeleton(f"{here} is not in a checkout of {PROJECT}; change into one, because the files are written there")


def check_name(kind: str, name: str) -> None:
    """Raise NoSkeleton unless ``name`` can be a ``pipeline`` or a ``dataset`` (``kind``)."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise NoSkeleton(
            f"'{name}' cannot be a {kind}: lower-case words of a to z and 0 to 9 joined by _, a letter first, "
            "no word of Python, for example city_weather"
        )
    if kind == "dataset" and name.startswith(_LAYERS):
        raise NoSkeleton(f"'{name}' names its layer; give the rest: {name.partition('_')[2]}")
    what, pattern, limit = _LIMITS[kind]
    room = limit - len(pattern.format(""))
    if len(name) > room:
        raise NoSkeleton(
            f"'{name}' has {len(name)} characters, a {kind} at most {room}: the {what} {pattern.format(name)} "
            f"would be longer than the {limit} that AWS takes"
        )


def raw_dataset(root: Path, pipeline: str, name: str) -> dict[str, str]:
    """Return path => text of the contract of ``raw_<name>``; raises NoSkeleton."""
    check_name("dataset", name)
    _require_pipeline(root, pipeline)
    return _raw(root, pipeline, name)


def curated_dataset(root: Path, made: Made) -> dict[str, str]:
    """Return path => text of the contract of ``curated_<name>``; raises NoSkeleton."""
    check_name("dataset", made.name)
    source = _contracts(root).get(made.source)
    if source is None:
        known = ", ".join(name for name in _contracts(root) if name.startswith("raw_"))
        raise NoSkeleton(f"there is no dataset {made.source}; there are {known}")
    return _curated(root, made, yaml.safe_load(source.read_text(encoding="utf-8")))


def derived_dataset(root: Path, made: Derived) -> dict[str, str]:
    """Return path => text of the contract of ``curated_<name>``; raises NoSkeleton."""
    check_name("dataset", made.name)
    made_from = [_contracts(root).get(name) for name in made.inputs]
    loaded = [model.read(path) for path in made_from if path]
    if len(loaded) < len(made.inputs) or not all(each.made_from for each in loaded):
        known = [name for name, path in _contracts(root).items() if model.read(path).made_from]
        raise NoSkeleton(f"the inputs are {', '.join(made.inputs)}; a dataset can be derived from {', '.join(known)}")
    return _derived(root, made, loaded)


def function_of(made: Derived) -> str:
    """Return the function that the job needs for what ``derived_dataset`` writes, as Python."""
    key = ", ".join(f'"{name}"' for name in made.key)
    arguments = ", ".join(f"{name}: DataFrame" for name in made.inputs)
    return "\n".join(
        [
            f"def {made.name}({arguments}) -> DataFrame:",
            f'    """Rows of {made.inputs[0]}, counted by {", ".join(made.key)}."""',
            f'    return {made.inputs[0]}.groupBy({key}).agg(F.count("*").alias("number"))',
        ]
    )


def pipeline(root: Path, name: str) -> dict[str, str]:
    """Return path => text of all files of a pipeline; raises NoSkeleton."""
    check_name("pipeline", name)
    names = [f"contracts/{name}", f"terraform/pipelines/{name}", f"drills/{name}", f"drills/{name}.py"]
    if taken := [path for path in names if (root / path).exists()]:
        raise NoSkeleton(f"'{name}' is taken: there is a {taken[0]} already")
    dashed = name.replace("_", "-")
    words = {
        "name": name,
        "dashed": dashed,
        "alarm": f"{dashed}-curated-{dashed}-freshness",
        "failures": f"{dashed}-transform-failures",
        "job_variable": variable(name, "transform"),
    }
    raw = _raw(root, name, name)
    (contract,) = raw.values()
    made = Made(name, f"raw_{name}", ("id", "timestamp"), "timestamp")
    curated = _curated(root, made, yaml.safe_load(contract), (_WEEKDAY,), FRESHNESS_HOURS)
    return {**raw, **curated, **_folder(root, name, words), **_of_platform(root, name)}


def write(root: Path, files: Mapping[str, str]) -> list[str]:
    """Write the files; returns their paths. Raises NoSkeleton, before the first is written, when one exists."""
    there = sorted(path for path in files if (root / path).exists())
    if there:
        raise NoSkeleton(f"nothing was written: {', '.join(there)} would be overwritten")
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return sorted(files)


def _contracts(root: Path) -> dict[str, Path]:
    return {file.stem: file for file in sorted((root / "contracts").glob("*/*.yaml"))}


def _require_pipeline(root: Path, pipeline: str) -> None:
    known = sorted(folder.parent.name for folder in (root / "terraform/pipelines").glob("*/versions.tf"))
    if pipeline not in known:
        raise NoSkeleton(f"there is no pipeline {pipeline}; there are {', '.join(known)}")


def _contract_file(root: Path, pipeline: str, dataset: str, text: str) -> dict[str, str]:
    """The file of a contract that the loader takes; raises NoSkeleton when another dataset has the name."""
    if (found := _contracts(root).get(dataset)) is not None:
        raise NoSkeleton(
            f"there is a dataset {dataset} already: {found.relative_to(root)}; all pipelines share a database"
        )
    model.parse(yaml.safe_load(text), f"{dataset}.yaml")
    return {f"contracts/{pipeline}/{dataset}.yaml": text}


def _raw(root: Path, pipeline: str, name: str) -> dict[str, str]:
    words = {
        "pipeline": pipeline,
        "dataset": f"raw_{name}",
        "title": f"Raw {name.replace('_', ' ')}",
        "folder": f"raw/{name.replace('_', '-')}",
    }
    return _contract_file(root, pipeline, words["dataset"], _rendered(root / "templates/dataset/raw.yaml.jinja", words))


def _curated(
    root: Path, made: Made, source: Any, added: Sequence[Mapping[str, Any]] = (), freshness_hours: int | None = None
) -> dict[str, str]:
    columns = [*_columns(made, source), *added]
    words = {
        "pipeline": source["domain"],
        "dataset": f"curated_{made.name}",
        "title": f"Curated {made.name.replace('_', ' ')}",
        "folder": f"curated/{made.name.replace('_', '-')}",
        "source": made.source,
        "moment": made.moment,
        "columns": [_one_line(column) for column in columns],
        "freshness_hours": freshness_hours,
    }
    text = _rendered(root / "templates/dataset/curated.yaml.jinja", words)
    return _contract_file(root, str(source["domain"]), str(words["dataset"]), text)


def _derived(root: Path, made: Derived, inputs: Sequence[Contract]) -> dict[str, str]:
    of_first = {column.stored_name: column for column in inputs[0].stored}
    if unknown := [name for name in (*made.key, made.moment) if name not in of_first]:
        raise NoSkeleton(f"{inputs[0].name} has no column {unknown[0]}; it has {', '.join(of_first)}")
    _check_moment(made.moment, made.key, of_first[made.moment].stored_type, ("date", "timestamp"))
    columns = [
        {
            "name": name, "physicalType": of_first[name].stored_type, "required": True, "primaryKey": True,
            "primaryKeyPosition": place, "description": of_first[name].description,
        }
        for place, name in enumerate(made.key, start=1)
    ]  # fmt: skip
    words = {
        "pipeline": inputs[0].domain,
        "dataset": f"curated_{made.name}",
        "title": f"Curated {made.name.replace('_', ' ')}",
        "folder": f"curated/{made.name.replace('_', '-')}",
        "inputs": made.inputs,
        "key": made.key,
        "moment": made.moment,
        "columns": [_one_line(column) for column in columns],
    }
    text = _rendered(root / "templates/dataset/derived.yaml.jinja", words)
    contract = model.parse(yaml.safe_load(text), f"curated_{made.name}.yaml")
    model.check_inputs(contract, {each.name: each for each in inputs}.__getitem__)
    return _contract_file(root, inputs[0].domain, f"curated_{made.name}", text)


def _check_moment(moment: str, key: Sequence[str], kind: str, kinds: Sequence[str]) -> None:
    if moment not in key:
        raise NoSkeleton(f"{moment} gives the day of a row, so it is part of the key: --key …,{moment}")
    if kind not in kinds:
        raise NoSkeleton(f"{moment} is no moment: its type is {kind}")


def _columns(made: Made, source: Any) -> list[dict[str, Any]]:
    """The columns of the source without its partitions, as the curated dataset has them; raises NoSkeleton."""
    columns = {c["name"]: c for c in source["schema"][0]["properties"] if not c.get("partitioned")}
    if unknown := [name for name in (*made.key, made.moment) if name not in columns]:
        raise NoSkeleton(f"{made.source} has no column {unknown[0]}; it has {', '.join(columns)}")
    _check_moment(made.moment, made.key, columns[made.moment]["physicalType"], ("string", "timestamp"))
    return [_column(made, column) for column in columns.values()]


def _column(made: Made, column: Mapping[str, Any]) -> dict[str, Any]:
    """A column of the source in the curated dataset. An identifier that is confidential is stored as a token."""
    name = column["name"]
    found: dict[str, Any] = {"name": name, **{word: column[word] for word in _KEPT if word in column}}
    if name in made.key:
        found |= {"required": True, "primaryKey": True, "primaryKeyPosition": list(made.key).index(name) + 1}
    if name == made.moment:
        return found | {"logicalType": "timestamp", "physicalType": "timestamp"}
    if column.get("classification") == "confidential" and column["physicalType"] == "string":
        found |= {"encryptedName": f"{name}_hash", "required": True}
    if found.get("required") and column["physicalType"] == "string":
        found["logicalTypeOptions"] = {"minLength": 1, **column.get("logicalTypeOptions", {})}
    return found


def _one_line(column: Mapping[str, Any]) -> str:
    """A column in the form of the other contracts."""
    return yaml.safe_dump(
        dict(column), default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True
    ).strip()


def _folder(root: Path, name: str, words: Mapping[str, str]) -> dict[str, str]:
    """The files below templates/pipeline, NAME in their paths and variables in their text replaced."""
    templates = root / "templates/pipeline"
    return {
        str(file.relative_to(templates)).replace("NAME", name).removesuffix(".jinja"): _rendered(file, words)
        for file in sorted(templates.rglob("*.jinja"))
    }


def _of_platform(root: Path, name: str) -> dict[str, str]:
    platform = root / "terraform/platform"
    return {
        f"terraform/pipelines/{name}/{file}": (platform / file).read_text(encoding="utf-8") for file in _AS_THE_PLATFORM
    }


def _rendered(template: Path, words: Mapping[str, Any]) -> str:
    # What is written is read by people before it runs; there is no HTML to escape in it.
    rules = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - not HTML
    )
    return rules.from_string(template.read_text(encoding="utf-8")).render(words)
