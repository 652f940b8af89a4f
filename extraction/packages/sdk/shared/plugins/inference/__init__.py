"""Steps of a pipeline."""
