"""The live halves of the faults that `verbs.faults` declares, and the registry of them."""
