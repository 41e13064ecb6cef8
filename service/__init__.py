"""Streams in, graphs and alerts out: ingest, pipeline, state, policies, API and page. Imports no tensor library."""

VERSION = "0.1.0"
