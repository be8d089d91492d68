"""Made-up patients in two shapes of lesion, and the verbs that measure them."""

from __future__ import annotations

import csv

import numpy as np
import typer
from typer.testing import CliRunner

PATIENTS = 12
SHAPE = (6, 40, 40)


def lesion(number):
    """Round for even patients, with a long arm for odd ones."""
    z, y, x = np.indices(SHAPE)
    radius = 5 + number % 5
    voxels = ((z - 2.5) / 2.2) ** 2 + ((y - 20) / radius) ** 2 + ((x - 18) / radius) ** 2 <= 1
    if number % 2:
        voxels[2, 19:22, 18:38] = True
    return voxels


def run(verb, *arguments):
    app = typer.Typer()
    app.command()(verb)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
