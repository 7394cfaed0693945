"""What is still to be removed of network interfaces, as users see it."""
