"""The command line as a whole: nothing heavy before a verb, a core without torch, mistakes told in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from glioseg.cli import VERBS
from glioseg.samples import SAMPLES

ROOT = Path(__file__).resolve().parents[2]
SCAN = SAMPLES / "TCGA_HT_7692_19960724"

HEAVY = (
    "torch",
    "pytorch_lightning",
    "monai",
    "matplotlib",
    "scipy",
    "nibabel",
    "onnxruntime",
    "fastapi",
    "numpy",
    "rich",
)
WITHOUT_TORCH = """
import importlib.util, sys
BLOCKED = {'torch', 'pytorch_lightning', 'monai', 'onnx'}
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in BLOCKED:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoTorch())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in BLOCKED else found(name, package)
from glioseg.cli import main
sys.argv = ['glioseg', *sys.argv[1:]]
main()
"""


def glioseg(
    *arguments: str, program: str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    start = ["-c", program] if program else ["-m", "glioseg"]
    return subprocess.run(
        [sys.executable, *start, *arguments], capture_output=True, text=True, encoding="utf-8", cwd=cwd
    )


def said_with_heavy_modules(*arguments: str) -> str:
    """What a command prints, and after it those of ``HEAVY`` that it has imported."""
    program = (
        f"import sys; sys.argv = ['glioseg', *{arguments}]\n"
        "from glioseg.cli import main\n"
        "try: main()\n"
        f"finally: print('HEAVY', [name for name in {HEAVY} if name in sys.modules])"
    )
    return glioseg(program=program).stdout


def name_of(verb: str) -> str:
    return verb.replace("_", "-")


def test_help_lists_every_verb_and_imports_nothing_heavy() -> None:
    said = said_with_heavy_modules("--help")
    assert "HEAVY []" in said
    for verb in VERBS:
        (line,) = (line for line in said.splitlines() if line.startswith(f"  {name_of(verb)} "))
        assert line.endswith("."), "what it does fits into the line"
        assert not line.endswith("...")


@pytest.mark.parametrize("arguments", [["--version"], ["predict", "--nonsense"], ["paint"]])
def test_nothing_heavy_for_a_slip_either(arguments: list[str]) -> None:
    assert "HEAVY []" in said_with_heavy_modules(*arguments)


def test_the_version_is_that_of_the_package() -> None:
    from glioseg import __version__

    done = glioseg("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"glioseg {__version__}")


@pytest.mark.parametrize("verb", [name_of(verb) for verb in VERBS])
def test_every_verb_has_help(verb: str) -> None:
    done = glioseg(verb, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict"], "scans, or --flair"),
        (["predict", "nowhere.nii.gz"], "nowhere.nii.gz"),
        (["predict", "--model", "unknown", str(SAMPLES)], "model 'unknown'"),
        (["predict", "--model", str(SAMPLES), str(SAMPLES)], "a finished run with model.onnx"),
        (["predict", "--threshold", "7", str(SAMPLES)], "between 0 and 1"),
        (["predict", "--threshold", "nan", str(SAMPLES)], "between 0 and 1"),
        (["predict", "--threads", "0", str(SAMPLES)], "greater than or equal to 1"),
        (["predict", "--threads", "two", str(SAMPLES)], "valid integer"),
        (["predict", "--flair", "a.nii", str(SAMPLES)], "found both"),
        (["predict", "--post", "nowhere.nii"], "nowhere.nii"),
        (["predict", "--pictures", str(SAMPLES)], "No such option"),
        (["train"], "a data folder, or --resume"),
        (["train", "data", "--resume", "run"], "a run folder"),
        (["train", str(SAMPLES), "--recipe", "refrence"], "Did you mean 'reference'?"),
        (["train", str(SAMPLES), "--set", "train.epoch=3"], "Did you mean 'epochs'?"),
        (["train", str(SAMPLES), "--set", "train.epochs", "--set", "a.b=1"], "table.key=value"),
        (["train", str(SAMPLES), "--recipe", "nowhere.toml"], "nowhere.toml"),
        (["train", str(SAMPLES), "--device", "toaster"], "one of auto, cpu"),
        (["train", str(SAMPLES), "--device", "cuda:99"], "--device"),
        (["train", str(SAMPLES), "--devices", "0"], "greater than or equal to 1"),
        (["train", "--resume", str(SAMPLES), "--set", "train.epochs=3"], "keeps its recipe"),
        (["train", "--resume", "nowhere"], "a run folder"),
        (["evaluate", "default", "nowhere"], "nowhere"),
        (["evaluate", "default", str(SAMPLES), "--patients", "nobody.txt"], "nobody.txt"),
        (["check", "nowhere"], "nowhere"),
        (["check"], "Missing argument"),
        (["check", str(SAMPLES), "--patient-rule", "("], "a regular expression"),
        (["demo", "--out", str(Path(__file__))], "a file of that name"),
        (["recipes", "refrence"], "Did you mean 'reference'?"),
        (["models", "unknown"], "no such name"),
        (["radiogenomics", str(SAMPLES)], "one of --truth"),
        (["features", "nowhere"], "nowhere"),
        (["paint"], "paint"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_mistakes_are_told_in_words(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = glioseg(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_the_demo_runs_without_torch(tmp_path: Path) -> None:
    done = glioseg("demo", "--out", "shown", program=WITHOUT_TORCH, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "TCGA_CS_4944_20010208" in done.stdout
    assert len(list((tmp_path / "shown" / "gifs").glob("*.gif"))) == 3
    assert len(list((tmp_path / "shown" / "outlines").glob("*/*.png"))) == 60


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", str(SCAN), "--no-gif", "--no-outlines"], "lesion on"),
        (["check", str(SAMPLES)], "no fault"),
        (["recipes", "reference"], 'name = "unet"'),
        (["models"], "lgg"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_core_works_without_torch(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = glioseg(*arguments, program=WITHOUT_TORCH, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout


def test_training_without_torch_says_what_to_install(tmp_path: Path) -> None:
    done = glioseg("train", str(SAMPLES), program=WITHOUT_TORCH, cwd=tmp_path)
    assert done.returncode == 2
    assert f'pip install -e "{ROOT}[train]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_radiologist_s_three_lines(tmp_path: Path) -> None:
    """Check, predict, and predict again, on real slices."""
    assert "no fault" in glioseg("check", str(SAMPLES)).stdout
    first = glioseg("predict", str(SCAN), "--out", "out", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "lesion on" in first.stdout
    second = glioseg("predict", str(SCAN), "--out", "out", cwd=tmp_path)
    assert "done before" in second.stdout
