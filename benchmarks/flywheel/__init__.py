"""Rounds of detect, review, fine-tune and measure, with an oracle in the reviewer's place: `make flywheel`."""
