"""The two questions to a vLLM server: a streamed completion, and its /metrics. Standard library only."""

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from traffic import Request

HOST = "127.0.0.1"
VOCABULARY = 500
"""Prompts are made of token numbers below this one, so that no two share a cached beginning."""


@dataclass(frozen=True)
class Reply:
    """When a request was sent, got its first token and was done, in seconds of the monotonic clock."""

    request: Request
    sent: float
    first: float
    done: float


@dataclass(frozen=True)
class Server:
    port: int
    model: str

    async def complete(self, request: Request, chance: random.Random) -> Reply:
        """Send one request and read its stream to the end; every token that was asked for comes."""
        prompt = [chance.randrange(3, VOCABULARY) for _ in range(request.prompt)]
        body = {"model": self.model, "prompt": prompt, "max_tokens": request.reply, "stream": True}
        sent = time.monotonic()
        times = [
            time.monotonic()
            async for line in self._lines("POST", "/v1/completions", body | {"ignore_eos": True})
            if line.startswith(b"data: {")
        ]
        if not times:
            raise SystemExit(f"port {self.port}: a completion brought no token; see the server's log")
        return Reply(request, sent, times[0], times[-1])

    async def metrics(self) -> dict[str, float]:
        """Sums over the labels by series name; buckets keep theirs, as name{le}."""
        found: dict[str, float] = {}
        async for line in self._lines("GET", "/metrics", None):
            if match := _SAMPLE.match(line.decode()):
                le = _LE.search(match[2] or "")
                name = match[1] + (f"{{{le[1]}}}" if le else "")
                found[name] = found.get(name, 0.0) + float(match[3])
        return found

    async def cache(self) -> dict[str, int]:
        """KV blocks that requests can have, and tokens of each."""
        async for line in self._lines("GET", "/metrics", None):
            if line.startswith(b"vllm:cache_config_info{"):
                said = dict(_LABEL.findall(line.decode()))
                # One block is nobody's: vLLM points at it where there is none.
                return {"kv_blocks": int(said["num_gpu_blocks"]) - 1, "block_tokens": int(said["block_size"])}
        raise SystemExit(
            f"port {self.port}: no vllm:cache_config_info on /metrics, so this is no vLLM that serves"
        )

    async def _lines(self, method: str, path: str, body: object) -> AsyncIterator[bytes]:
        reader, writer = await asyncio.open_connection(HOST, self.port, limit=1 << 20)
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.0\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        writer.write(head.encode() + f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
        try:
            status = await reader.readline()
            if b" 200 " not in status:
                raise SystemExit(f"{method} {path} on port {self.port}: {status.decode().strip()}")
            async for line in reader:
                yield line
        finally:
            writer.close()


_SAMPLE = re.compile(r"([a-z_:]+)(\{.*\})? ([-+0-9.eE]+|NaN)$")
_LABEL = re.compile(r'([a-z_]+)="([^"]*)"')
_LE = re.compile(r'le="([^"]+)"')
