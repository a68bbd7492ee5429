"""From what a user gives, options and files, to the plan of a cluster."""
