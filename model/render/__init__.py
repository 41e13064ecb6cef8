"""Pictures of furnished rooms, rendered from the Debian package sweethome3d-furniture. Knows no network and no service."""
