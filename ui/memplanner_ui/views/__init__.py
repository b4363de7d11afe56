"""What the window shows of estimates and runs. Views know messages and the look, no engine."""
