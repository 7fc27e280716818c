"""Each valid id once, whichever files and however often it stands there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sre.metering.statements import ORDER


@dataclass(frozen=True)
class LeftOut:
    """What `counted` lacks: records whose id was counted before, and invalid ones among those with such ids."""

    duplicates: int = 0
    invalid: Mapping[str, int] = field(default_factory=dict)


def leave_out_duplicates(db: Any) -> LeftOut:
    """Make `counted`, a view of the records with every valid id once.

    Ids are compared by two hashes of 64 bits: two different ids among 50 million are taken for one with a
    probability below 1e-20. The first hash alone finds the few records that have to be looked at.
    """
    db.execute("CREATE TEMP TABLE twice AS SELECT h1 FROM records GROUP BY h1 HAVING count(*) > 1")
    if not db.execute("SELECT count(*) FROM twice").fetchone()[0]:
        db.execute("CREATE TEMP VIEW counted AS FROM records")
        return LeftOut()
    # Nearly all are the same record twice: those fold cheaply, and only the rest has to be ordered.
    db.execute(
        "CREATE TEMP TABLE several AS SELECT *, count(*) AS n FROM records SEMI JOIN twice USING (h1) GROUP BY ALL"
    )
    db.execute(
        "CREATE TEMP TABLE unlike AS SELECT h1, h2 FROM several WHERE bad IS NULL GROUP BY h1, h2 HAVING count(*) > 1"
    )
    db.execute(
        "CREATE TEMP TABLE first AS SELECT DISTINCT ON (h1, h2) * FROM several SEMI JOIN unlike USING (h1, h2) "
        f"WHERE bad IS NULL ORDER BY h1, h2, {ORDER}"
    )
    db.execute(
        "CREATE TEMP TABLE once AS SELECT * FROM several ANTI JOIN unlike USING (h1, h2) WHERE bad IS NULL "
        "UNION ALL FROM first"
    )
    db.execute(
        "CREATE TEMP VIEW counted AS SELECT * FROM records ANTI JOIN twice USING (h1) "
        "UNION ALL SELECT * EXCLUDE (n) FROM once"
    )
    extra = "SELECT (SELECT coalesce(sum(n), 0) FROM several WHERE bad IS NULL) - (SELECT count(*) FROM once)"
    invalid = db.execute("SELECT bad, sum(n) FROM several WHERE bad IS NOT NULL GROUP BY bad").fetchall()
    return LeftOut(int(db.execute(extra).fetchone()[0]), {reason: int(n) for reason, n in invalid})
