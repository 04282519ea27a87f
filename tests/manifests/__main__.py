"""``make render``: build and check every overlay and combination; exit with 1 where there is a fault.

usage: python -m tests.manifests [folder ...]
"""

import argparse
import itertools
import sys
from collections import Counter
from pathlib import Path

from . import build, check, schemas


def main(folders: list[Path]) -> int:
    known = schemas.Schemas(schemas.folder())
    if schemas.folder() is None:
        print("The CRDs' schemas are not here (MANIFEST_SCHEMAS names their folder): custom kinds are checked by")
        print("rules alone.")
    failed = False
    kinds: Counter[str] = Counter()
    print("| set | objects | kinds | checked by a schema | faults |\n|---|---|---|---|---|")
    named = (build.build(folder.resolve()) for folder in folders or build.targets())
    for bundle in itertools.chain(named, () if folders else [build.examples()]):
        found = check.faults(bundle, known)
        checked = sum(known.knows(one) for one in bundle.objects)
        own = Counter(one.title.partition("/")[0] for one in bundle.objects)
        kinds |= own
        share = 100 * checked / max(len(bundle.objects), 1)
        print(f"| {bundle.name} | {len(bundle.objects)} | {len(own)} | {share:.0f} % | {len(found)} |", flush=True)
        for fault in found:
            failed = True
            print(f"{bundle.name}: {fault}", file=sys.stderr)
    print("\nmost objects of a kind in one set:", ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items())))
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.manifests", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="folders with a kustomization.yaml; all when left out")
    sys.exit(main(parser.parse_args().folders))
