"""HTTP and WebSockets: what users ask for, and what they are shown. Owns no stream."""
