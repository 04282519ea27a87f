"""An answer judged while a model is still writing it."""
