"""A folder of results: what stands in it, who is writing to it, and what a kill left behind."""
