"""The HTTP API and the viewer page. Needs the optional extra ``glioseg[serve]``."""
