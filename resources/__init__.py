"""Files that come with the program: presets, cards, icons, style, templates."""
