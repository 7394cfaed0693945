"""What makes networks of hosts real: the Linux kernel with dnsmasq, or memory. One contract for both."""
