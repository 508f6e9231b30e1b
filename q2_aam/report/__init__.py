"""The .qzv pages: what is shown (a file for each kind of page), and how (page, style)."""
