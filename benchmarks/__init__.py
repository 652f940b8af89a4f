"""Measurements against the budgets of the design, as ratios in one run. Not tests: nothing here fails."""
