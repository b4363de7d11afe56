"""How the window looks: colours, type, icons, motion. Knows nothing of plans or estimates."""
