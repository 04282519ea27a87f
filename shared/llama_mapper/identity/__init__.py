"""Who asks: API keys, tokens of an OpenID provider, one-time codes. What they may do is said in ``policies/access``."""
