"""The middleware in a real vLLM. SRE_TEST_VLLM names an environment that has vLLM and our dependencies.

Without a GPU the CPU build does. A model of two random layers is made on the spot; nothing is downloaded.
"""

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sre.lab.pages import free_port
from sre.lab.programs import running
from sre.usage.formats import load_format
from sre.usage.record import Tokens

ROOT = Path(__file__).parents[1]
VENV = os.environ.get("SRE_TEST_VLLM", "")
pytestmark = pytest.mark.skipif(not VENV, reason="SRE_TEST_VLLM names no environment with vLLM")

FORMAT = load_format("usage")
_PATIENCE = 600.0
MODEL = """
import sys
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedTokenizerFast
letters = sorted(pre_tokenizers.ByteLevel.alphabet())
words = {word: number for number, word in enumerate(["<s>", "</s>", *letters])}
tokenizer = Tokenizer(models.BPE(vocab=words, merges=[]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(sys.argv[1])
LlamaConfig(
    vocab_size=512, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=4, max_position_embeddings=1024, bos_token_id=0, eos_token_id=1,
    architectures=["LlamaForCausalLM"], dtype="bfloat16",
).save_pretrained(sys.argv[1])
"""
SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    subprocess.run([f"{VENV}/bin/python", "-c", MODEL, folder], check=True, capture_output=True)
    return folder


@contextmanager
def vllm(model: Path, folder: Path, *flags: str) -> Iterator[str]:
    """A server with the middleware; the value is its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("SRE_TEST_VLLM_PATH")]))
    variables = {**SETTINGS, "PYTHONPATH": paths, "SRE_USAGE_LOG": str(folder / "usage.jsonl")}
    command = ["nice", "-n", "10", "env", *(f"{name}={value}" for name, value in variables.items())]
    command += [
        f"{VENV}/bin/vllm",
        "serve",
        str(model),
        "--load-format",
        "dummy",
        "--served-model-name",
        "tiny",
    ]
    command += ["--host", "127.0.0.1", "--port", str(port), "--max-model-len", "512", "--max-num-seqs", "4"]
    command += ["--middleware", "sre.usage.asgi.UsageMiddleware", *flags]
    with running("vllm", command, folder, lambda: healthy(url), _PATIENCE):
        yield url


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def complete(url: str, **more: object) -> bytes:
    """One prompt token, twenty more."""
    asked = {"model": "tiny", "prompt": [5], "max_tokens": 20, "ignore_eos": True, **more}
    kind, body = {"Content-Type": "application/json"}, json.dumps(asked).encode()
    request = urllib.request.Request(f"{url}/v1/completions", body, kind)  # noqa: S310
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        return bytes(answer.read())


@pytest.mark.parametrize(
    ("flags", "asked"),
    [
        (["--enable-force-include-usage"], {}),
        ([], {"stream_options": {"include_usage": True}}),
        (["--enable-force-include-usage", "--api-server-count", "2"], {}),
    ],
    ids=["forced usage", "usage that is asked for", "two API servers"],
)  # fmt: skip
def test_forty_tokens_are_forty(
    model: Path, tmp_path: Path, until: Callable[..., None], flags: list[str], asked: dict[str, object]
) -> None:
    """1 + 20 tokens, once streamed and once not: uncached input 2, output 40, on vLLM's own page and in the log."""
    with vllm(model, tmp_path, *flags) as url:
        streamed = complete(url, stream=True, **asked)
        complete(url)
        assert (streamed.count(b'"usage":{') > 1) == ("--enable-force-include-usage" in flags)
        log = tmp_path / "usage.jsonl"
        until(lambda: log.exists() and len(log.read_bytes().splitlines()) == 2, "both records")
        with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:  # noqa: S310
            page = answer.read().decode()
    counted = {
        (sample.name, sample.labels.get("class")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.value and not sample.name.endswith("_created")
    }
    assert counted["llm_tokens_total", "uncached_input"] == 2
    assert counted["llm_tokens_total", "output"] == 40
    assert counted["vllm:generation_tokens_total", None] == 40
    records = [FORMAT.decode(line)[0] for line in log.read_bytes().splitlines()]
    assert [record.tokens for record in records] == [Tokens(1, 0, 0, 20)] * 2
    assert {record.finish_reason for record in records} == {"length"}
    assert sorted(record.ttft_seconds is None for record in records) == [False, True]
