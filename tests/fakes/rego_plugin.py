"""What an installed package would name as its folder of policies."""

from pathlib import Path

FOLDER = Path(__file__).parent
NOWHERE = FOLDER / "nowhere"
