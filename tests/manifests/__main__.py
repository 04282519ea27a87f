"""``make render``: build and check every overlay and combination; exit with 1 where there is a fault.

usage: python -m tests.manifests [folder ...]
"""

import argparse
import itertools
import sys
from collections import Counter
from pathlib import Path

from . import build, check, edges, planted, planted_edges, schemas
from .objects import Bundle
from .picture import Picture


def main(folders: list[Path]) -> int:
    known = schemas.Schemas(schemas.folder())
    if schemas.folder() is None:
        print("The CRDs' schemas are not here (MANIFEST_SCHEMAS names their folder): custom kinds are checked by")
        print("rules alone.")
    failed = False
    kinds: Counter[str] = Counter()
    print("| set | objects | kinds | checked by a schema | edges held | faults |\n|---|---|---|---|---|---|")
    named = (build.build(folder.resolve()) for folder in folders or build.targets())
    for bundle in itertools.chain(named, () if folders else [build.examples()]):
        found = check.faults(bundle, known)
        own = Counter(one.title.partition("/")[0] for one in bundle.objects)
        kinds |= own
        print(_row(bundle, len(own), len(found), known), flush=True)
        for fault in found:
            failed = True
            print(f"{bundle.name}: {fault}", file=sys.stderr)
    asked, skipped = known.asked.total(), known.asked[None]
    print(f"\nCEL rules of CRDs asked: {asked - skipped} of {asked}")
    for rule in sorted(known.unasked):
        print(f"not asked, as it uses a function of Kubernetes' own: {rule}")
    print("most objects of a kind in one set:", ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items())))
    return int(failed) if folders else int(not _plants(known) or failed)


def _row(bundle: Bundle, kinds: int, faults: int, known: schemas.Schemas) -> str:
    share = 100 * sum(known.knows(one) for one in bundle.objects) / max(len(bundle.objects), 1)
    computed = len(Picture(bundle).edges) if edges.held(bundle) else "–"
    return f"| {bundle.name} | {len(bundle.objects)} | {kinds} | {share:.0f} % | {computed} | {faults} |"


def _plants(known: schemas.Schemas) -> bool:
    """Plant each fault and each edge; say how many were caught."""
    faults = [one for one in planted.PLANTED if schemas.folder() or not one.crd]
    production = build.build(planted_edges.PRODUCTION)
    missed = [one.what for one in faults if not planted.caught(one, known)]
    missed += [one.what for one in planted_edges.PLANTED if not planted_edges.caught(one, production)]
    whole = len(faults) + len(planted_edges.PLANTED)
    told = f"{len(faults)} faults of manifests, {len(planted_edges.PLANTED)} edges too many or too few"
    print(f"planted faults caught: {whole - len(missed)} of {whole} ({told})")
    for what in missed:
        print(f"not caught: {what}", file=sys.stderr)
    return not missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.manifests", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="folders with a kustomization.yaml; all when left out")
    sys.exit(main(parser.parse_args().folders))
