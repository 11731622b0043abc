"""Programs that load heavy libraries. They are started as commands by their file and never imported."""
