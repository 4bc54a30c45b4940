"""Lens: qualifies a release candidate of a search service on evidence that a stranger can recompute."""
