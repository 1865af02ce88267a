"""Floor 3: which method for which stage, presets, picture -> template, template -> what the comparison needs."""
