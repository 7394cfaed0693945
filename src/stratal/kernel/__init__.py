"""What every resource shares. Knows no kind, no face and no driver."""
