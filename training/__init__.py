"""From rows of the log to datasets and training jobs."""
