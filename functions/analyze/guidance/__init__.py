"""What the rules say: passages of nine frameworks in our words, found by a question, quoted with their citation."""
