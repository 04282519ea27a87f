from .tables import DOCS, PAGES, written

for page in PAGES:
    (DOCS / page).write_text(written(page), "utf-8")
