"""What is installed, and under which licence."""
