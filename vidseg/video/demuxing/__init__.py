"""From files to packets and their timestamps."""
