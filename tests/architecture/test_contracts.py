"""The arrow of the house, as import-linter draws it."""

import configparser
import os
import subprocess
import sys

import pytest

from tests.architecture.source import ROOMS, ROOT


@pytest.fixture(scope="module")
def contracts():
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter", "utf-8")
    return parser


@pytest.mark.slow
def test_every_contract_is_kept():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]

    checked = subprocess.run(
        [*command, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "0 broken" in checked.stdout


def test_every_room_is_watched(contracts):
    watched = set(contracts["importlinter"]["root_packages"].split())

    assert watched == {*ROOMS, "simulator", "localstack"}


def test_the_arrow_goes_one_way(contracts):
    layers = contracts["importlinter:contract:one-way"]["layers"].strip().splitlines()

    assert [line.strip() for line in layers[1:]] == ["services", "models", "domain"]
    assert set(layers[0].replace("|", " ").split()) == set(ROOMS[3:]) | {"simulator", "localstack"}


def test_the_exceptions_are_those_that_were_reviewed(contracts):
    ignored = {
        line.strip()
        for section in contracts.values()
        for line in section.get("ignore_imports", "").splitlines()
        if line.strip()
    }

    assert ignored == {"jobs.worker -> models"}
