"""The workshop: lessons as Markdown, and the guide that watches a real cluster while they are done."""
