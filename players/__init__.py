"""Who sits at the table: people, models, bots and replays, and the drivers that let them play."""
