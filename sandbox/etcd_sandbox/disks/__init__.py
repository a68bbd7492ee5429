"""The members' disks: calls that a member makes of its files are held, or fail, on purpose (Linux, seccomp)."""
