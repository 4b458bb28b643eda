"""The cases, one file per group; every file here is found by itself."""
