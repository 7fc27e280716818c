"""Every usage metric, made from records in this one place; no clock, no network, no disk, one thread."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from itertools import product
from typing import Any

from sre.usage import bounds, families
from sre.usage.cells import COLUMNS, ERROR, ERROR_COLUMN, FINISH_COLUMN, SUCCESS, ModelCell, PairCell, Parts
from sre.usage.families import Family
from sre.usage.histogram import MICRO, Histogram
from sre.usage.labels import OTHER, UNASSIGNED, clean
from sre.usage.record import ERROR_TYPES, FINISH_REASONS, UsageRecord
from sre.usage.shifts import LengthShifts


class Accounts:
    """Counters and histograms of all records so far, with closed label sets under a cap.

    The roster's names, `other` and `unassigned` have all their series from the start, at 0: a counter that
    begins with its first request loses that request to `increase()`. Where there is no roster, names are let in
    as they come, until another pair of team and model would give some metric more than ``label_sets`` label
    sets beside those of the roster; later ones are counted as `other`. Nothing is ever dropped or evicted, so
    totals are exact.
    """

    def __init__(
        self,
        teams: Collection[str] | None = None,
        models: Collection[str] | None = None,
        *,
        label_sets: int = 2000,
        longest: int = 128,
        by_team: bool = False,
        early: bool = False,
    ) -> None:
        """``teams`` and ``models`` are the roster, None where there is none.

        ``by_team`` splits `llm_output_tokens`; ``early`` adds `llm_output_shift_detected_total`.
        """
        self._shifts = LengthShifts() if early else None
        self._models: dict[str, ModelCell] = {}
        self._pairs: dict[tuple[str, str], PairCell] = {}
        self._known: dict[tuple[str, str | None], Parts] = {}
        self._roster = None if models is None else frozenset(models)
        self._longest, self._by_team, self._strangers = longest, by_team, 0
        for team, model in product((*(teams or ()), OTHER, UNASSIGNED), (*(models or ()), OTHER)):
            self._open(team, model)
        # The widest metric of a pair is that of its errors.
        self._most = len(self._pairs) + label_sets // len(ERROR_TYPES)

    def add(self, record: UsageRecord, team: str) -> None:
        """Count one record for a team that ``Identity`` decided."""
        asked = record.model or record.requested_model
        parts = self._known.get((team, asked)) or self._find(team, asked).parts
        row, lengths, by_length, ttft, by_ttft, duration, by_duration, finishes, model = parts
        tokens = record.tokens
        if tokens is not None:
            output, reasoning = tokens.output, tokens.reasoning
            row[0] += tokens.uncached_input
            row[1] += tokens.cached_input
            row[2] += tokens.cache_write
            row[3] += output
            row[4] += reasoning
            if record.outcome == "success":
                length = output + reasoning
                by_length[bisect_left(bounds.OUTPUT_TOKENS, length)] += 1
                lengths.total += length
                if self._shifts is not None:
                    self._shifts.add(model.name, length)
        if record.outcome == "success":
            row[SUCCESS] += 1
            model.missing += tokens is None
        else:
            row[ERROR] += 1
            row[ERROR_COLUMN[record.error_type or "unknown"]] += 1
            # Whoever leaves a stream has had tokens of it; other failures may have used none.
            model.missing += tokens is None and record.error_type == "client_cancelled"
        if (seconds := record.ttft_seconds) is not None:
            by_ttft[bisect_left(bounds.TTFT_SECONDS, seconds)] += 1
            ttft.total += round(seconds * MICRO)
        if (seconds := record.duration_seconds) is not None:
            by_duration[bisect_left(bounds.DURATION_SECONDS, seconds)] += 1
            duration.total += round(seconds * MICRO)
        if (reason := record.finish_reason) is not None:
            finishes[FINISH_COLUMN[reason]] += 1

    def expose(self) -> bytes:
        """The text exposition of all usage metrics, ``# HELP`` and ``# TYPE`` included."""
        pairs, models = self._pairs.values(), self._models.values()
        return "".join(
            (
                *_family(families.TOKENS, map(PairCell.tokens, pairs)),
                *_family(families.REQUESTS, map(PairCell.requests, pairs)),
                *_family(families.ERRORS, map(PairCell.errors, pairs)),
                *_family(families.OUTPUT_TOKENS, map(Histogram.expose, self._lengths())),
                *_family(families.TTFT, (cell.ttft.expose() for cell in models)),
                *_family(families.DURATION, (cell.duration.expose() for cell in models)),
                *_family(families.FINISHES, map(ModelCell.finished, models)),
                *_family(families.USAGE_MISSING, map(ModelCell.unreported, models)),
                *(_family(families.SHIFTS, self._shifts.expose()) if self._shifts else ()),
            )
        ).encode()

    @property
    def overflow(self) -> dict[str, int]:
        """Records whose team or model had a name that is not shown, by label."""
        teams = (cell.row for cell in self._pairs.values() if cell.names[0] == OTHER)
        return {"team": sum(row[SUCCESS] + row[ERROR] for row in teams), "model": self._strangers}

    def snapshot(self) -> dict[str, Any]:
        """All counts as lists, dicts, strings and numbers, for msgspec to encode."""
        return {
            "columns": list(COLUMNS),
            "finishes": list(FINISH_REASONS),
            "pairs": [[*cell.names, cell.row[:], self._own(cell)] for cell in self._pairs.values()],
            "models": [_model_counts(name, cell) for name, cell in self._models.items()],
            "strangers": self._strangers,
            "shifts": self._shifts.snapshot() if self._shifts else None,
        }

    def restore(self, snapshot: Any) -> None:
        """Go on from a snapshot, decoded, whatever was counted before.

        Series of names that the roster no longer holds stay as they are, but grow no more: moved to `other`,
        their past would look like a burst there. Raises ``ValueError`` where it is no snapshot of these metrics.
        """
        try:
            self._restore(snapshot)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ValueError(f"not counts of this release ({type(error).__name__})") from None

    def _restore(self, snapshot: Any) -> None:
        columns = [COLUMNS.index(name) for name in snapshot["columns"]]
        finishes = [FINISH_COLUMN[name] for name in snapshot["finishes"]]
        self._clear()
        for name, ended, missing, ttft, duration, lengths in snapshot["models"]:
            model = self._model_cell(name)
            model.missing = missing
            model.ttft.merge(ttft)
            model.duration.merge(duration)
            _spread(ended, finishes, model.finishes)
            # What was not told apart by team before cannot be now: those series begin anew.
            if lengths and model.lengths:
                model.lengths.merge(lengths)
        for team, name, row, lengths in snapshot["pairs"]:
            cell = self._pairs.get((team, name)) or self._open(team, name)
            _spread(row, columns, cell.row)
            if lengths:
                cell.lengths.merge(lengths)
        self._strangers = snapshot["strangers"]
        if self._shifts:
            self._shifts.restore(snapshot.get("shifts") or {})

    def _clear(self) -> None:
        for model in self._models.values():
            model.clear()
        for pair in self._pairs.values():
            pair.clear()

    def _find(self, team: str, model: str | None) -> PairCell:
        """The pair for names that were not counted before, or are never shown as they are."""
        name = self._shown(model)
        cell = self._pairs.get((team, name)) or self._admit(team, name)
        if cell.names == (team, model):
            self._known[team, model] = cell.parts
        self._strangers += model is not None and cell.names[1] == OTHER
        return cell

    def _shown(self, model: str | None) -> str:
        if not model:
            return OTHER
        if self._roster is None:
            return clean(model, self._longest) or OTHER
        return model if model in self._roster else OTHER

    def _admit(self, team: str, model: str) -> PairCell:
        if len(self._pairs) < self._most:
            return self._open(team, model)
        near = ((team, OTHER), (OTHER, model), (OTHER, OTHER))
        return next(self._pairs[names] for names in near if names in self._pairs)

    def _open(self, team: str, model: str) -> PairCell:
        cell = self._pairs[team, model] = PairCell(team, model, self._model_cell(model))
        return cell

    def _model_cell(self, name: str) -> ModelCell:
        if name not in self._models:
            self._models[name] = ModelCell(name, lengths=not self._by_team)
            if self._shifts is not None:
                self._shifts.open(name)
        return self._models[name]

    def _lengths(self) -> Iterator[Histogram]:
        cells: Iterable[PairCell | ModelCell] = (
            self._pairs.values() if self._by_team else self._models.values()
        )
        return (cell.lengths for cell in cells if cell.lengths)

    def _own(self, cell: PairCell) -> list[int] | None:
        return cell.lengths.snapshot() if self._by_team else None


def _family(family: Family, lines: Iterable[str]) -> Iterator[str]:
    yield family.head
    yield from lines


def _model_counts(name: str, cell: ModelCell) -> list[Any]:
    lengths = cell.lengths.snapshot() if cell.lengths else None
    return [name, cell.finishes[:], cell.missing, cell.ttft.snapshot(), cell.duration.snapshot(), lengths]


def _spread(values: list[int], places: list[int], row: list[int]) -> None:
    for value, place in zip(values, places, strict=True):
        row[place] += value
