"""Benchmarks against named peers. Each prints one JSON document; `docs/benchmarks.md` keeps what was measured."""
