"""The values that every room speaks of: frames, instances, boxes, masks, colors (numpy only)."""
