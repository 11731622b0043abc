"""Data in and out: clembench's results trees, playpen's data set, JSON lines, tables, bundles for reviewers."""
