"""The window. Qt only: everything about models it asks the engine process."""
