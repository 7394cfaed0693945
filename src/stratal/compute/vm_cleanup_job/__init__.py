"""What is still to be removed of virtual machines, as users see it."""
