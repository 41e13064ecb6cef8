"""The steps from one frame's scene graph to the stream's graph: associate, merge, relation filter, delta. They do not know each other."""
