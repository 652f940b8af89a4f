"""Pictures for the demo: scenes of real handwritten digits, and two street photographs."""
