"""The project's pages; the window shows them as its help."""
