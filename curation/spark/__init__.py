"""Engine code of the pair side: session, tasks, and what shuffles."""
