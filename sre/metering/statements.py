"""The SQL that checks, orders and sums usage records; `{source}` is one SELECT of `sre.metering.sources`."""

from sre.finance.bill import TOKEN_CLASSES

_EXACT = 2**53
"""Whole numbers above it are not exact in JSON."""

COLUMNS = (
    "h1 UBIGINT, h2 UBIGINT, moment BIGINT, pool VARCHAR, team VARCHAR, model VARCHAR, ok BOOLEAN, "
    + ", ".join(f"{name} BIGINT" for name in TOKEN_CLASSES)
    + ", micros BIGINT, bad VARCHAR"
)
_ZERO = [f"coalesce({name}, 0)" for name in TOKEN_CLASSES]
_FINITE = [f"CASE WHEN abs({zero}) <= {_EXACT} THEN {zero} ELSE 0 END" for zero in _ZERO]

_BAD = f"""CASE
  WHEN id IS NULL AND time IS NULL AND outcome IS NULL THEN 'not_json'
  WHEN id IS NULL OR id = '' OR time IS NULL OR outcome IS NULL THEN 'missing'
  WHEN outcome NOT IN ('success', 'error') THEN 'wrong_type'
  WHEN moment IS NULL THEN 'time'
  WHEN broken THEN 'wrong_type'
  WHEN mixed IS NOT NULL AND coalesce(cached_input, 0) > mixed_input THEN 'cached_exceeds_input'
  WHEN mixed IS NOT NULL THEN 'unknown_class'
  WHEN outcome = 'success' AND (model IS NULL OR model = '' OR coalesce({", ".join(TOKEN_CLASSES)}) IS NULL)
    THEN 'missing'
  WHEN {" OR ".join(f"isnan({zero}) OR isinf({zero})" for zero in _ZERO)} THEN 'not_finite'
  WHEN least({", ".join(_ZERO)}) < 0 THEN 'negative'
  WHEN greatest({", ".join(_ZERO)}) > {_EXACT} THEN 'too_large'
  WHEN {" OR ".join(f"{zero} <> trunc({zero})" for zero in _ZERO)} THEN 'wrong_type'
END"""
"""Why a record is invalid; NULL where it is not. A negative duration is dropped alone."""

CHECKED = f"""
SELECT hash(id), hash(id || chr(1)), moment, coalesce(pool, ''), coalesce(team, ''), coalesce(model, ''),
  outcome = 'success', {", ".join(f"CAST({value} AS BIGINT)" for value in _FINITE)},
  CASE WHEN duration_seconds >= 0 AND duration_seconds < 1e9
    THEN CAST(round(duration_seconds * 1e6) AS BIGINT) ELSE 0 END,
  {_BAD}
FROM (SELECT *, CASE WHEN right(time, 1) = 'Z' OR regexp_matches(right(time, 6), '[+-]\\d\\d(:?\\d\\d)?$')
  THEN epoch_us(TRY_CAST(time AS TIMESTAMPTZ)) END AS moment FROM ({{source}}))"""

ORDER = ", ".join(["moment", "pool", "team", "model", "ok", *TOKEN_CLASSES, "micros"])
"""Which of several records with one id counts: the earliest; the rest only makes the choice the same each time."""

SUMS = (
    "SELECT pool, team, model, count(*), count(*) FILTER (ok), "
    + ", ".join(f"sum({name})::HUGEINT" for name in TOKEN_CLASSES) + ", "
    + ", ".join(f"coalesce(sum({name}) FILTER (NOT ok), 0)::HUGEINT" for name in TOKEN_CLASSES)
    + ", sum(micros)::HUGEINT, min(moment), max(moment) FROM counted"
)  # fmt: skip
