"""What the exporter exposes: name, type and meaning of each metric, in the order of the page."""

from typing import Literal, NamedTuple


class Family(NamedTuple):
    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str

    @property
    def head(self) -> str:
        """The lines that stand before its samples."""
        return f"# HELP {self.name} {self.help}\n# TYPE {self.name} {self.type}\n"


TOKENS = Family(
    "llm_tokens_total",
    "counter",
    "Tokens by who consumed them; classes are disjoint, and failed requests count with what they used.",
)
REQUESTS = Family("llm_requests_total", "counter", "Requests by who made them and what came out.")
ERRORS = Family("llm_request_errors_total", "counter", "Failed requests by what failed.")
OUTPUT_TOKENS = Family(
    "llm_output_tokens",
    "histogram",
    "Tokens of one successful reply, reasoning included: what the engine generated.",
)
TTFT = Family(
    "llm_time_to_first_token_seconds", "histogram", "Time to the first token, of every request that got one."
)
DURATION = Family("llm_request_duration_seconds", "histogram", "Duration of requests, failed ones included.")
FINISHES = Family("llm_request_finishes_total", "counter", "Requests by why their reply ended.")
USAGE_MISSING = Family(
    "llm_usage_missing_total",
    "counter",
    "Requests that consumed tokens which nobody reported: successes without usage, and streams that the client left.",
)
SHIFTS = Family(
    "llm_output_shift_detected_total",
    "counter",
    "Times that the lengths of replies moved, as ADWIN tells: an early signal, not a verdict.",
)

RECORDS = Family(
    "llm_exporter_records_total", "counter", "Records by what became of them: ok, invalid or duplicate."
)
INVALID_RECORDS = Family(
    "llm_exporter_invalid_records_total", "counter", "Records that were skipped, by why."
)
REQUESTS_REFUSED = Family(
    "llm_exporter_requests_refused_total",
    "counter",
    "Posts to an ingest route that were refused whole, by why.",
)
QUEUE = Family("llm_exporter_queue_length", "gauge", "Bodies that were posted and wait to be counted.")
LAG = Family(
    "llm_exporter_lag_seconds",
    "gauge",
    "How far the counts of a log are behind: age of the newest record that was read; 0 at the end of the log.",
)
BACKLOG = Family("llm_exporter_backlog_bytes", "gauge", "Bytes of a log that wait to be read.")
LOST = Family(
    "llm_exporter_lost_bytes_total",
    "counter",
    "Bytes that were in a log and gone before they could be read, as far as is known.",
)
READABLE = Family(
    "llm_exporter_log_readable",
    "gauge",
    "Whether the log is there and can be read; the journal says why not.",
)
CHECKPOINT_AGE = Family(
    "llm_exporter_checkpoint_age_seconds",
    "gauge",
    "How long ago counts were saved; 0 where all that was counted is saved.",
)
SAVED = Family(
    "llm_exporter_state_saved",
    "gauge",
    "Whether counts can be saved; nothing new is counted while they cannot.",
)
LAST_RECORD = Family(
    "llm_exporter_last_record_timestamp_seconds",
    "gauge",
    "Time of the newest record of the route; 0 before any.",
)
RECORD_AGE = Family(
    "llm_exporter_newest_record_age_seconds",
    "gauge",
    "Age of the newest record of the route; before any, how long the exporter has waited for one.",
)
OVERFLOW = Family(
    "llm_exporter_label_overflow_total",
    "counter",
    "Records whose team or model is shown as `other`: not on the roster, or over the cap of label sets.",
)
RELOAD_OK = Family(
    "llm_exporter_config_last_reload_successful",
    "gauge",
    "Whether the configuration last read is the one in use.",
)
RELOAD_TIME = Family(
    "llm_exporter_config_last_reload_success_timestamp_seconds",
    "gauge",
    "When the configuration in use was read.",
)
BUILD = Family("llm_exporter_build_info", "gauge", "The release that runs.")
STARTED = Family(
    "process_start_time_seconds",
    "gauge",
    "When this process was started, in seconds since the epoch; its counters go on from what was saved before.",
)
"""By its common name: readers of counters look around every start for a fall that was outgrown unseen."""
