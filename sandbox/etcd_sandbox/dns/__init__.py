"""Names for members: records in dnsmasq's words, a server for them, and what a machine must allow."""
