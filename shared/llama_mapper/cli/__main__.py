"""`python -m llama_mapper.cli`: the same as `llama-mapper`, for where the script is not on the path."""

from .main import app

app(prog_name="llama-mapper")
