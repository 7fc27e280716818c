from sre.usage.formats import *
from sre.usage.formats.load import load_gateways
from sre.usage.record import to_line
from sre.findings import Refused
import sys
try: load_gateways()
except Refused as r:
    for f in r.findings: print(f)
    sys.exit()
for n in format_names():
    f=load_format(n, trusted=True)
    import pathlib
    p=pathlib.Path('/work/shared/captures/gateways')/(n+'.jsonl')
    if n=='usage': p=pathlib.Path('/work/shared/contracts/usage.jsonl')
    if not p.exists(): continue
    print(n)
    for l in p.read_bytes().splitlines():
        r,k=f.decode(l); print('  ',to_line(r).decode(), k and k[:5])
    for r in f.decode_body(p.read_bytes()): assert not isinstance(r,Exception)
