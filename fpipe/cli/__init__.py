"""Floor 8: parse, one service call, print.  One file a command; heavy imports inside the functions."""
