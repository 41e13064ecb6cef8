"""Measuring scene graphs against truth: recall, precision, over time. Metrics are pure numpy; only `look` and `relate` know torch."""
