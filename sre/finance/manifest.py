"""What a bill was made from and what it comes to, as JSON: the page that an auditor begins with."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sre.finance.bill import IDLE, PLATFORM, UNTAGGED, Bill, Row
from sre.finance.costs.model import Costs
from sre.finance.money import total
from sre.finance.usage import Usage

FORMAT = 1


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def manifest(
    bill: Bill, costs: Costs, usage: Usage, inputs: Mapping[str, str], files: Mapping[str, bytes],
    reconciled: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """``inputs``: name -> SHA-256 of what was read; ``files``: path -> content of what is written beside it."""
    counts = usage.counts
    data = {
        "format": FORMAT,
        "tool": bill.tool,
        "month": bill.month,
        "start": _instant(bill.start.isoformat()),
        "end": _instant(bill.end.isoformat()),
        "timezone": bill.timezone,
        "hours": round((bill.end - bill.start).total_seconds()) / 3600,
        "currency": bill.currency.code,
        "total": str(bill.total),
        "corrections": str(bill.corrections),
        "rows": len(bill.rows),
        "source": bill.source,
        "records": counts.read if counts else None,
        "duplicates": counts.duplicates if counts else 0,
        "outside_month": counts.outside if counts else 0,
        "invalid": dict(sorted(counts.invalid.items())) if counts else {},
        "counters": _counters(usage),
        "reconciled": reconciled,
        "policy": {
            "allocate_by": costs.allocate_by, "idle": costs.idle, "unknown": costs.unknown, "failed": costs.failed,
            "mode": costs.mode, "rounding": "half away from zero; largest remainder, ties by name",
        },
        "rate_card": {"version": bill.rate_card, "weights": _weights(bill)},
        "coverage": {
            "tagged": _text(bill.coverage.tagged), "telemetry": _text(bill.coverage.telemetry),
            "samples": _text(bill.coverage.samples),
        },
        "invoices": [
            {
                "id": one.id, "issuer": one.issuer, "currency": one.lines.currency.code, "lines": str(one.lines),
                "stated": _text(one.stated), "billed": str(one.billed), "rate": _text(one.rate),
                "rate_source": one.rate_source, "rate_date": one.rate_date,
            }
            for one in bill.invoices
        ],
        "control": control(bill),
        "notes": list(bill.notes),
        "inputs": dict(sorted(inputs.items())),
        "artefacts": {name: digest(content) for name, content in sorted(files.items())},
    }  # fmt: skip
    return json.dumps(data, indent=2, ensure_ascii=True) + "\n"


def control(bill: Bill) -> dict[str, Any]:
    """Totals by which a copy of the bill can be checked without this program."""
    return {
        "by_kind": _sums(bill, (row.kind for row in bill.rows)),
        "by_team": _sums(bill, (row.team for row in bill.rows)),
        "by_pool": _sums(bill, (row.pool for row in bill.rows)),
        "by_invoice": _sums(bill, (row.invoice for row in bill.rows)),
        "requests": sum(row.requests for row in bill.rows),
        "successful_requests": sum(row.successful_requests for row in bill.rows),
        "tokens": sum(row.tokens.total for row in bill.rows),
        "idle": str(total((row.cost for row in bill.rows if row.team == IDLE), bill.currency)),
        "untagged": str(total((row.cost for row in bill.rows if row.team == UNTAGGED), bill.currency)),
        "held": str(total((row.cost for row in bill.rows if row.team == PLATFORM), bill.currency)),
    }


def _sums(bill: Bill, keys: Iterable[str]) -> dict[str, str]:
    groups = defaultdict[str, list[Row]](list)
    for key, row in zip(keys, bill.rows, strict=True):
        groups[key].append(row)
    return {
        key: str(total((row.cost for row in rows), bill.currency)) for key, rows in sorted(groups.items())
    }


def _counters(usage: Usage) -> dict[str, Any] | None:
    seen = usage.counted
    if not seen:
        return None
    return {
        "series": seen.series, "samples": seen.samples, "expected": seen.expected, "resets": seen.resets,
        "started_in_month": seen.started, "gaps": len(seen.gaps), "bound_tokens": seen.bound,
    }  # fmt: skip


def _weights(bill: Bill) -> dict[str, dict[str, str]]:
    return {
        model: {name: str(weight) for name, weight in card.items()} for model, card in bill.weights.items()
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _instant(text: str) -> str:
    return text.replace("+00:00", "Z")
