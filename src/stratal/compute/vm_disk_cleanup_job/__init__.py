"""What is still to be removed of disks, as users see it."""
