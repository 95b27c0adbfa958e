"""A new project passes its own tests."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent


def listed_files() -> list[str]:
    """Returns what `template.files` lists."""
    lines = (SDK / "template.files").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


class Template(unittest.TestCase):
    def test_the_list_names_every_file_of_the_sdk(self) -> None:
        files = [SDK / "componentize_py_types.py"]
        for folder in ("rematch_scorer", "wit_world"):
            files += [path for path in (SDK / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
        self.assertEqual(listed_files(), sorted(path.relative_to(SDK).as_posix() for path in files))

    def test_a_new_project_passes_its_tests(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            project = Path(name)
            for path in (SDK / "template").iterdir():
                text = path.read_text(encoding="utf-8")
                text = text.replace("{{name}}", "my-plugin").replace("{{module}}", "my_plugin")
                (project / path.name).write_text(text, encoding="utf-8")
            for file in listed_files():
                target = project / "sdk" / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(SDK / file, target)
            tested = subprocess.run(
                [sys.executable, "-m", "unittest"],
                capture_output=True,
                text=True,
                cwd=project,
                env={**os.environ, "PYTHONPATH": "sdk"},
                timeout=60,
                check=False,
            )
            self.assertEqual(tested.returncode, 0, tested.stderr)
            self.assertIn("Ran 4 tests", tested.stderr)
