"""Images as OpenStack's Image service shows them (v2), for clients that make volumes of images."""
