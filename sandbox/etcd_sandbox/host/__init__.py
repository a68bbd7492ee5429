"""What is done to this machine: processes started and ended, locks held, leftovers cleared."""
