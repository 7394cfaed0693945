"""The API faces. Each translates one dialect into calls of services, and decides nothing."""
