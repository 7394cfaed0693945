"""Images, which volumes and virtual CD-ROMs start from: uploaded, imported, or made of snapshots."""
