"""Who may ask: users, projects, roles, tokens, access keys, RSA keys."""
