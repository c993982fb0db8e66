"""One file per claim of speed; each prints ratios against peers and limits."""
