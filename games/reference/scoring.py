"""What a finished match was worth, by our rules and by clembench's.

Success and loss are 0 when aborted (clembench 3.0 leaves them out there), every broken form is counted, and the score
of blind guessing stands beside each result, since 33 out of 100 mean nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from games.engine import Match, Role, Scores, Step

CHANCE = 100 / 3


def scores(match: Match, expression: str, tags: Mapping[Role, str], answers: Sequence[str]) -> Scores:
    """Main score 100 for the right picture, 0 for another, None when aborted; credit is shared by both replies."""
    outcome, steps = match.state.outcome, match.steps
    main = {"success": 100.0, "failure": 0.0}.get(outcome or "aborted")
    violated = [step for step in steps if step.verdict == "illegal"]
    metrics = {
        "success": float(outcome == "success"),
        "lose": float(outcome == "failure"),
        "aborted": float(outcome == "aborted"),
        "chance": CHANCE,
        "requests": float(len(steps)),
        "parsed": float(len(steps) - len(violated)),
        "violated": float(len(violated)),
        "request_success_ratio": (len(steps) - len(violated)) / len(steps) if steps else 0.0,
    }
    for role in match.game.roles:
        metrics[f"aborted_at_{role}"] = float(any(step.role == role for step in violated))
    if expression:
        metrics["expression_length"] = float(len(expression))
        metrics["expression_tokens"] = float(len(expression.split()))
        metrics["clembench.expression_length"] = float(len(steps[0].text))
        metrics["clembench.expression_tokens"] = float(len(steps[0].text.split()))
    credit = {step.ply: (main or 0.0) / 100 for step in steps if step.verdict == "ok"}
    return Scores(main, credit, metrics | _clembench(main, steps, tags, answers))


def _clembench(
    main: float | None, steps: Sequence[Step], tags: Mapping[Role, str], answers: Sequence[str]
) -> dict[str, float]:
    """Its abortion and main score; nothing for a second paragraph, with which clembench 3.0 crashed.

    It takes no white space or markup before a tag, and needs the answer right behind it.
    """
    for step in steps:
        if not re.match(rf"{tags[step.role]}:\s*\S", step.text, re.IGNORECASE):
            return {"clembench.aborted": 1.0}
    if len(steps) > 1 and not re.match(rf"{tags[steps[1].role]}:\s*(?:{'|'.join(answers)})", steps[1].text, re.I):
        return {"clembench.aborted": 1.0}
    return {} if main is None else {"clembench.aborted": 0.0, "clembench.main_score": main}
