"""Floor 0: conventions, types, errors, parameters, files and the trace; NumPy and the standard library only."""
