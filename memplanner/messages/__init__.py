"""What crosses a process boundary: results, and the protocol. Torch-free."""
