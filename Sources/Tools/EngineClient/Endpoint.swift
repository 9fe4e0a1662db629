// The seam to an engine.
