"""What carries the section ``sharding`` out: one file per kind of parallelism, on torch's own."""
