"""The SQL that checks, orders and sums usage records; `{source}` is one SELECT of `sre.metering.sources`."""

from sre.finance.bill import TOKEN_CLASSES

_EXACT = 2**53
"""Whole numbers above it are not exact in JSON."""

_WHOLE = {name: f"coalesce(TRY_CAST({name} AS BIGINT), 0)" for name in TOKEN_CLASSES}
"""Rounded, and 0 where it is none: what differs from its number by that is not good."""
_ZERO = [f"coalesce({name}, 0)" for name in TOKEN_CLASSES]

_GOOD = f"""id <> '' AND moment IS NOT NULL AND mixed IS NULL AND NOT broken
  AND (outcome = 'error' OR (outcome = 'success' AND model <> '' AND coalesce({", ".join(TOKEN_CLASSES)}) IS NOT NULL))
  AND {" AND ".join(f"{zero} = {whole}" for zero, whole in zip(_ZERO, _WHOLE.values(), strict=True))}
  AND {" AND ".join(f"{whole} BETWEEN 0 AND {_EXACT}" for whole in _WHOLE.values())}"""

_BAD = f"""CASE WHEN {_GOOD} THEN NULL
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
  ELSE 'wrong_type'
END"""
"""Why a record is invalid; NULL where it is not. A negative duration is dropped alone."""

CHECKED = f"""
SELECT hash(id) AS h1, hash(id || chr(1)) AS h2, moment,
  coalesce(pool, '') AS pool, coalesce(team, '') AS team, coalesce(model, '') AS model, outcome = 'success' AS ok,
  {", ".join(f"{whole} AS {name}" for name, whole in _WHOLE.items())},
  CASE WHEN duration_seconds >= 0 AND duration_seconds < 1e9
    THEN CAST(round(duration_seconds * 1e6) AS BIGINT) ELSE 0 END AS micros,
  {_BAD} AS bad
FROM ({{source}})"""

# A time in UTC is cast without a zone, which is half as long and the same moment.
TEXT_MOMENT = """CASE WHEN suffix(time, 'Z') THEN epoch_us(TRY_CAST(time AS TIMESTAMP))
  WHEN regexp_matches(right(time, 6), '[+-]\\d\\d(:?\\d\\d)?$') THEN epoch_us(TRY_CAST(time AS TIMESTAMPTZ)) END"""
"""Microseconds since the epoch of a time as text; NULL where it names no zone."""

ORDER = ", ".join(["moment", "pool", "team", "model", "ok", *TOKEN_CLASSES, "micros"])
"""Which of several records with one id counts: the earliest; the rest only makes the choice the same each time."""

SUMS = (
    "pool, team, model, count(*), count(*) FILTER (ok), "
    + ", ".join(f"sum({name})::HUGEINT" for name in TOKEN_CLASSES) + ", "
    + ", ".join(f"coalesce(sum({name}) FILTER (NOT ok), 0)::HUGEINT" for name in TOKEN_CLASSES)
    + ", sum(micros)::HUGEINT, min(moment), max(moment)"
)  # fmt: skip
