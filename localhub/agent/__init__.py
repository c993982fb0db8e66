"""edgeAgent's stand-in: runs the modules of a manifest as processes and serves each its workload API."""
