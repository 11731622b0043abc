"""The command line of the peer: one plan, or requests line by line. All output but the answers goes to stderr."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.clem_peer", description="Let clemcore play scripted episodes.")
    parser.add_argument("plan", nargs="?", type=Path, help="the plan, a JSON file")
    parser.add_argument("--mode", choices=("bare", "recorded"), default="bare")
    parser.add_argument("--dir", type=Path, help="where to record (default: a temporary directory)")
    parser.add_argument("--faithful", action="store_true", help="repeat what clembench repeats")
    parser.add_argument("--serve", action="store_true", help="read requests from standard input, one a line")
    options = parser.parse_args()
    if (options.plan is None) != options.serve:
        parser.error("give either a plan or --serve")
    answers, sys.stdout = sys.stdout, sys.stderr  # clemcore logs to what is stdout when it is imported
    os.environ["TQDM_DISABLE"] = "1"
    plan = options.plan and options.plan.resolve()
    where = options.dir and options.dir.resolve()
    with tempfile.TemporaryDirectory(prefix="clem-peer-") as scratch:
        os.chdir(scratch)  # clemcore writes clembench.log where it is imported
        from bench.clem_peer.play import answer

        def reply(request: dict[str, Any]) -> None:
            print(json.dumps(answer(request)), file=answers, flush=True)

        if options.serve:
            for line in sys.stdin:
                reply(json.loads(line))
        else:
            reply({"plan": str(plan), "mode": options.mode, "dir": where and str(where), "faithful": options.faithful})


if __name__ == "__main__":
    main()
