"""The catalogue is whole, and what it points at is there and is run."""

import re

import pytest

from drills import catalogue
from tests.faults.fault import HOW, KINDS, everything, functions_in, load

FAULTS = {fault.id: fault for fault in everything()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_of_a_kind_is_there_once(kind: str) -> None:
    letter, number = KINDS[kind]
    assert [fault.id for fault in load(kind)] == [f"{letter}{count:02d}" for count in range(1, number + 1)]


@pytest.mark.parametrize("number", FAULTS)
def test_a_fault_has_words_and_either_a_proof_or_a_reason_why_not(number: str) -> None:
    fault = FAULTS[number]
    assert fault.fault
    assert fault.outcome
    assert fault.how in HOW
    reasons = [reason for reason in (fault.not_applicable, fault.missing) if reason]
    assert len(reasons) <= 1
    assert bool(fault.proof or fault.script) != bool(reasons)


@pytest.mark.parametrize("number", [fault.id for fault in everything() if fault.proof])
def test_a_proof_is_a_test_of_the_suite_or_a_drill(number: str) -> None:
    fault = FAULTS[number]
    assert len(fault.tests) + len(fault.drills) == len(fault.proof)
    for proof in fault.tests:
        file, _, name = proof.partition("::")
        assert file.startswith(("tests/", "localaws/tests/"))
        assert name in functions_in(file), f"{proof} is not there"
    assert set(fault.drills) <= set(catalogue.drills())


@pytest.mark.parametrize("kind", KINDS)
def test_every_test_that_is_named_after_a_fault_is_its_proof(kind: str) -> None:
    file = f"tests/faults/test_{kind}.py"
    named = {name: re.findall(r"(?:test|and)_([iawp]\d\d)_", name) for name in functions_in(file)}
    for name, numbers in named.items():
        for number in numbers:
            assert f"{file}::{name}" in FAULTS[number.upper()].proof


def test_nearly_all_faults_are_covered() -> None:
    covered = [fault for fault in FAULTS.values() if not fault.missing and not fault.not_applicable]
    assert len(FAULTS) == 141
    assert len(covered) >= 130
