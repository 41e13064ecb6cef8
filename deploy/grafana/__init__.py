"""Grafana dashboards as code: one file a dashboard, look.py for what they share, build.py writes the JSON."""
