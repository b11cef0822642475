"""The engine room: what nobody needs to read to learn."""
