"""Stopping rules: when to end an experiment, which arm to ship, and whether to claim that it is better.

A rule goes with any allocation. Rules combine: `a | b` stops when either does, `a & b` when both do.

>>> from agents.stopping import BeatsControl, ValueRemaining, make_rule
>>> make_rule("beats-control | value-remaining") == BeatsControl() | ValueRemaining()
True
"""

from agents.stopping.always_valid import ConfidenceSequence, GeneralizedLikelihoodRatio, MixtureSPRT
from agents.stopping.classical import FixedSample
from agents.stopping.e_process import EProcess
from agents.stopping.group_sequential import GroupSequential, RepeatedTest
from agents.stopping.posterior import BeatsControl, ExpectedLoss, ProbabilityBest, ValueRemaining
from agents.stopping.rule import After, AllOf, AnyOf, StoppingRule, make_rule

__all__ = [
    "After",
    "AllOf",
    "AnyOf",
    "BeatsControl",
    "ConfidenceSequence",
    "EProcess",
    "ExpectedLoss",
    "FixedSample",
    "GeneralizedLikelihoodRatio",
    "GroupSequential",
    "MixtureSPRT",
    "ProbabilityBest",
    "RepeatedTest",
    "StoppingRule",
    "ValueRemaining",
    "make_rule",
]
