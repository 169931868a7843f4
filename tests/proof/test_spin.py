"""SPIN, which shares nothing with the prover, agrees with it."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from fsm_agent.cli.settings import CommandSettings
from fsm_agent.domain.property import Never, Property, Whenever
from fsm_agent.loading.yaml_file import load
from fsm_agent.project.action_lookup import look_up
from fsm_agent.proof.prover import prove
from fsm_agent.proof.verdicts import Outcome
from tests.support.hypothesis_settings import IS_LONG

from .random_control import subject
from .small_subjects import CASES, subject_of
from .spin import broken
from .subjects import Subject

ROOT = Path(__file__).parents[2]
GALLERY = sorted((ROOT / "workflows").rglob("*.yaml"))
CHUNKS = 4 if IS_LONG else 1
SEEDS = range(1_000 if IS_LONG else 4)
#: workflows in one model: the compiler takes more than twice as long for twice as many
TOGETHER = 4


def of_gallery(path: Path) -> Subject:
    """Its workflow, those of its properties that speak of no data, and of each that what it speaks of never happens."""
    modules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["fsm-agent"]["modules"]
    workflow = load(path)
    known = look_up(workflow, CommandSettings(modules=tuple(modules)).catalogue(imports=False), trusts_names=False)
    kept = [each for each in workflow.must if not isinstance(each.rule, Whenever)]
    others = [Property(f"not {each.name}", Never(each.rule.terms)) for each in kept]
    return Subject(workflow, known.actions, (*kept, *others))


@pytest.mark.long
def test_spin_and_the_prover_understand_each_thing_alike(tmp_path: Path) -> None:
    subjects = [subject_of(case) for case in CASES]
    found = [is_broken for [is_broken] in broken(subjects, tmp_path)]
    proofs = [prove(each.workflow, each.properties, signatures=each.signatures) for each in subjects]
    assert [case.about for case, is_broken in zip(CASES, found, strict=True) if is_broken is case.is_kept] == []
    proved = [verdict.outcome is Outcome.PROVED for proof in proofs for verdict in proof.verdicts]
    assert [case.about for case, is_proved in zip(CASES, proved, strict=True) if is_proved is not case.is_kept] == []


@pytest.mark.long
@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_spin_proves_of_the_gallery_what_is_proved_and_breaks_the_opposite(path: Path, tmp_path: Path) -> None:
    gallery = of_gallery(path)
    [found] = broken([gallery], tmp_path)
    proof = prove(gallery.workflow, gallery.properties, signatures=gallery.signatures)
    assert [verdict.outcome is not Outcome.PROVED for verdict in proof.verdicts] == found
    half = len(found) // 2
    assert (half >= 2, any(found[:half]), all(found[half:])) == (True, False, True)


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_spin_breaks_of_random_workflows_just_what_is_not_proved(chunk: int, tmp_path: Path) -> None:
    counted: Counter[Outcome] = Counter()
    seeds = SEEDS[chunk::CHUNKS]
    for first in range(0, len(seeds), TOGETHER):
        some = seeds[first : first + TOGETHER]
        subjects = [subject(seed) for seed in some]
        for seed, tried, found in zip(some, subjects, broken(subjects, tmp_path), strict=True):
            proof = prove(tried.workflow, tried.properties, signatures=tried.signatures)
            for of, verdict, is_broken in zip(tried.properties, proof.verdicts, found, strict=True):
                counted[verdict.outcome] += 1
                assert is_broken is (verdict.outcome is not Outcome.PROVED), f"seed {seed}, {of.rule}, {verdict}"
    assert counted[Outcome.PROVED] > len(seeds)
    assert counted[Outcome.VIOLATED] > len(seeds)
