"""The use cases: ingest and plan an article; tick, publish and confirm a delivery."""
