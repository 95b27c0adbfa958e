"""First step of a build: checks a scorer natively and writes the module that componentize-py compiles.

    python3 -m rematch_scorer.entry scorer.py build/rematch_component.py

imports ``scorer.py``, writes the module, and prints the world of the component: ``scorer``, or ``aggregating-scorer``
where the scorer has an ``aggregate``. Exit code 1 says that there is not exactly one scorer.
"""

import importlib
import sys
from pathlib import Path

from . import scoring
from .declaration import Scorer

_MODULE = '''"""Written by rematch_scorer.entry."""

from rematch_scorer.component import Aggregation, Guest, serve

import {module}

serve({module}.{name})

__all__ = ["Aggregation", "Guest"]
'''


def find_scorer(source: Path) -> tuple[str, Scorer]:
    """Returns the one scorer of a module and the name of its variable.

    Raises:
        ValueError: There is none, or there are several, or the file cannot be a module.
    """
    if source.suffix != ".py" or not source.stem.isidentifier():
        raise ValueError(f"`{source}` must be a Python file whose name is an identifier, such as `scorer.py`")
    sys.path.insert(0, str(source.parent))
    module = importlib.import_module(source.stem)
    if Path(module.__file__ or "").resolve() != source.resolve():
        raise ValueError(f"another module hides `{source}`: {module.__file__}; give the file another name")
    found = {id(value): (name, value) for name, value in vars(module).items() if isinstance(value, Scorer)}
    if len(found) != 1:
        names = ", ".join(f"`{name}`" for name, _ in found.values()) or "none"
        raise ValueError(f"`{source}` must have exactly one function under `@scorer` or `@batch_scorer`, found {names}")
    return next(iter(found.values()))


def main(arguments: list[str]) -> int:
    """Runs the command and returns its exit code."""
    if len(arguments) != 2:
        print("usage: python3 -m rematch_scorer.entry SOURCE MODULE", file=sys.stderr)
        return 2
    source, target = Path(arguments[0]), Path(arguments[1])
    try:
        name, scorer = find_scorer(source)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    scoring.describe(scorer)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_MODULE.format(module=source.stem, name=name), encoding="utf-8")
    print("scorer" if scorer.aggregate_run is None else "aggregating-scorer")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
