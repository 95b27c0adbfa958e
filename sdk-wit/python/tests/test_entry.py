"""The first step of a build, and the exports of the component."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent
PLAIN = """
from rematch_scorer import Metric, scorer

@scorer(name="one", needs=[], metrics=[Metric("m")])
def score(session, params):
    return 1.0
"""
AGGREGATING = (
    PLAIN
    + """
@score.aggregate
def total(metrics, params):
    return 7.0
"""
)
CALL = """
import rematch_component as component
from rematch_scorer.testing import sessions
from componentize_py_types import Err
guest = component.Guest()
print(guest.describe().name)
print(guest.score(sessions([{}, {}]).batch(frozenset(), [0, 1]), "{}").values)
try:
    guest.score(sessions([]).batch(frozenset(), []), "[]")
except Err as error:
    print(type(error.value).__name__)
"""


class Entry(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join([str(SDK), str(self.folder), str(self.folder / "build")])
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=60, check=False
        )

    def entry(self, text: str, name: str = "my_scorer.py") -> subprocess.CompletedProcess[str]:
        source = self.folder / name
        source.write_text(text)
        return self.python("-m", "rematch_scorer.entry", str(source), str(self.folder / "build" / "rematch_component.py"))

    def test_the_module_that_is_written_exports_the_scorer(self) -> None:
        written = self.entry(PLAIN)
        self.assertEqual((written.returncode, written.stdout), (0, "scorer\n"), written.stderr)
        called = self.python("-c", CALL)
        self.assertEqual(called.stdout.split("\n")[:3], ["one", "[1.0, 1.0]", "Failure_InvalidParams"], called.stderr)

    def test_a_scorer_with_aggregate_is_of_the_other_world(self) -> None:
        self.assertEqual(self.entry(AGGREGATING).stdout, "aggregating-scorer\n")

    def test_a_file_without_exactly_one_scorer_is_refused(self) -> None:
        for text, found in [("x = 1", "found none"), (PLAIN + PLAIN.replace("def score", "def other"), "`other`")]:
            refused = self.entry(text)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("exactly one function", refused.stderr)
            self.assertIn(found, refused.stderr)

    def test_a_file_name_that_python_cannot_import_is_refused(self) -> None:
        for name, message in [("my-scorer.py", "an identifier"), ("wit_world.py", "another module hides")]:
            refused = self.entry(PLAIN, name)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(message, refused.stderr)
