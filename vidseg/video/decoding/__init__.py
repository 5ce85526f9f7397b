"""From packets to upright RGB frames."""
