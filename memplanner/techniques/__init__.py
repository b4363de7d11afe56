"""What a plan's sections do: one file per technique, named like its section."""
