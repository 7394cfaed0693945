"""Label keys: what the labels of a project are about, such as `owner` or `tier`."""
