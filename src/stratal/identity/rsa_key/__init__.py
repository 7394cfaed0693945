"""RSA keys: short-lived key pairs with which clients encrypt passwords on their way here."""
