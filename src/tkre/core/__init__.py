"""What everything else speaks of. Imports no other room."""
