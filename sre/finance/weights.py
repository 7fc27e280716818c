"""The rate card in whole numbers: what the usage of a team weighs, exactly and without fractions."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import lcm

from sre.finance.bill import TOKEN_CLASSES, Tokens
from sre.finance.costs.model import Costs, Measure
from sre.finance.usage import Use

DEFAULT = "default"


@dataclass(frozen=True)
class RateCard:
    """Weights of the token classes by model, over one common ``scale``; and what else decides a weight."""

    measure: Measure
    charge_failed: bool
    scale: int
    weights: Mapping[str, Mapping[str, int]]
    version: str
    """The first 12 digits of the SHA-256 of the card's canonical form."""

    def knows(self, model: str) -> bool:
        """Whether usage of a model can be weighed."""
        return self.measure != "tokens" or model in self.weights or DEFAULT in self.weights

    def weigh(self, use: Use) -> int:
        """What a use weighs, beside others of the same card."""
        if self.measure == "requests":
            return use.requests if self.charge_failed else use.successful_requests
        if self.measure == "gpu_seconds":
            return use.request_microseconds
        card = self.weights.get(use.model) or self.weights.get(DEFAULT) or {}
        tokens = use.tokens if self.charge_failed else use.tokens - use.failed_tokens
        return weigh_tokens(tokens, card)


def weigh_tokens(tokens: Tokens, card: Mapping[str, int]) -> int:
    """The sum over the disjoint classes."""
    return sum(count * card.get(name, 0) for name, count in tokens.by_class().items())


def rate_card(costs: Costs) -> RateCard:
    """The card of a cost file."""
    weights = costs.weights
    scale = scale_of(weights)
    whole = {
        model: {name: int(card[name] * scale) for name in TOKEN_CLASSES} for model, card in weights.items()
    }
    return RateCard(costs.allocate_by, costs.failed == "charge", scale, whole, _version(costs, weights))


def scale_of(weights: Mapping[str, Mapping[str, Decimal]]) -> int:
    """The smallest number that makes all weights whole: what a use weighs is in tokens over it."""
    return lcm(*(weight.as_integer_ratio()[1] for card in weights.values() for weight in card.values()), 1)


def _version(costs: Costs, weights: Mapping[str, Mapping[str, Decimal]]) -> str:
    """Two cards that weigh alike have one version, however they are written: 0.10 is 0.1."""
    plain = {
        model: {name: _shortest(weight) for name, weight in card.items()} for model, card in weights.items()
    }
    form = json.dumps([costs.allocate_by, costs.failed, plain], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(form.encode()).hexdigest()[:12]


def _shortest(weight: Decimal) -> str:
    return format(weight.normalize(), "f")
