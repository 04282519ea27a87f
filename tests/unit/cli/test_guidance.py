import json

import pytest
from typer.testing import CliRunner

from llama_mapper.cli.main import app

pytest.importorskip("tantivy", reason="tantivy is not installed")


def test_ask_shows_the_passage_and_its_citation() -> None:
    done = CliRunner().invoke(app, ["guidance", "ask", "What does GDPR article 33(1) say?", "--limit", "1"])
    assert done.exit_code == 0
    assert "72 hours" in done.stdout
    assert "Regulation (EU) 2016/679, Article 33(1)" in done.stdout


def test_ask_says_where_nothing_answers() -> None:
    done = CliRunner().invoke(app, ["guidance", "ask", "What does GDPR article 200 say?"])
    assert done.exit_code == 0
    assert "No passage" in done.stdout


def test_ask_speaks_json() -> None:
    done = CliRunner().invoke(app, ["guidance", "ask", "CC6.1?", "--framework", "soc2", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["passages"][0]["section"] == "CC6.1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Is ada@example.org personal?"], "question"),
        (["breach", "--framework", "no-such-one"], "known frameworks: eu-ai-act"),
        (["breach", "--framework", "No Id"], "frameworks"),
        (["breach", "--knowledge", "/no/such/folder"], "no knowledge here"),
    ],
    ids=range(4),
)
def test_what_cannot_be_asked_is_refused_and_not_repeated(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["guidance", "ask", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
    assert "ada@" not in done.output
