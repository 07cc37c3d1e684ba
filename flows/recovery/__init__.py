"""What a run goes on from; past readings outside memory."""
