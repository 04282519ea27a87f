"""How well questions about rules are answered: ranking, citation, abstention, on questions held back from tuning."""
