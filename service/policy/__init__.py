"""Policies: YAML read and linted, compiled to closures, evaluated on one graph after another."""

from service.policy.evaluate import PolicyEvaluator
from service.policy.load import load_policies, parse_policies
from service.policy.rules import Finding, Policy, PolicyError, PolicySet

__all__ = ["Finding", "Policy", "PolicyError", "PolicyEvaluator", "PolicySet", "load_policies", "parse_policies"]
