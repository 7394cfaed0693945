"""Guest operating systems that are known by name, with what suits each."""
