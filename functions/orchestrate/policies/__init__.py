"""The Rego policies: loaded, asked, watched, examined."""
