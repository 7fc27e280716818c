import timeit, json, msgspec, pathlib, sys
from sre.usage.formats import *
def rate(f, lines, n):
    best=9e9
    for _ in range(7):
        import time
        t=time.process_time()
        for _ in range(n):
            for l in lines: f(l)
        best=min(best,time.process_time()-t)
    return n*len(lines)/best
C=pathlib.Path('/work/shared/captures/gateways')
for name,n in (('envoy_ai_gateway',2000),('usage',4000),('litellm',60),('higress',2000),('nginx',2000)):
    p=C/(name+'.jsonl')
    if name=='usage': p=pathlib.Path('/work/shared/contracts/usage.jsonl')
    lines=p.read_bytes().splitlines()
    if name=='envoy_ai_gateway': lines=lines[:2]
    if name=='litellm': lines=lines[:2]
    f=load_format(name)
    j=rate(json.loads,lines,n//4); g=rate(msgspec.json.decode,lines,n); m=rate(f._parse,lines,n); d=rate(f.decode,lines,n)
    v=0
    print(f"{name:18} {sum(map(len,lines))//len(lines):6} B json {j:9.0f} generic {g:9.0f} struct {m:9.0f} values {v:9.0f} decode {d:9.0f} decode/json {d/j:.2f} d/struct {d/m:.2f}")
