"""``make bench``: run the chosen figures, print a table for people, write ``bench.json``."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from benchmarks import bill_run, owner_import, owner_search, payment_notices, publication, reports
from benchmarks.figures import Figure

FIGURES = {
    "P1": bill_run.measure,
    "P2": publication.measure,
    "P4": payment_notices.measure,
    "P7": owner_import.measure,
    "P8a": owner_search.measure,
    "P9": reports.measure,
}
ROOT = Path(__file__).parents[1]


def main() -> int:
    """Measure, print and write; the exit code says only whether everything ran."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", default="", help="such as P1,P4; all when left out")
    parser.add_argument(
        "--large", action="store_true", help="also at a million houses, which takes a while"
    )
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name] or list(FIGURES)
    unknown = set(chosen) - set(FIGURES)
    if unknown:
        parser.error(f"no such figure: {', '.join(sorted(unknown))}; there is {', '.join(FIGURES)}")
    print(f"{platform.platform()}, Python {sys.version.split()[0]}")
    figures: list[Figure] = []
    for name in chosen:
        measured = FIGURES[name](large=options.large)
        figures += measured
        for figure in measured:
            print(figure.as_line(), flush=True)
    (ROOT / "bench.json").write_text(
        json.dumps([figure.as_json() for figure in figures], ensure_ascii=False, indent=1)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
