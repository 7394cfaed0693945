"""Access keys: by which clients sign requests in place of logging in."""
