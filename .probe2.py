import time, msgspec, operator
from datetime import datetime, timezone
from sre.usage.record import UsageRecord, Tokens
t="2026-10-01T08:00:00.250Z"; f=datetime.fromisoformat
memo={t[:19]:1790841600.0}; memo2={t[:17]:1790841600.0}
d=f(t); d2=msgspec.json.decode(b'"2026-10-01T08:00:00.250Z"',type=datetime)
EP=datetime(1970,1,1,tzinfo=timezone.utc)
I=msgspec.defstruct("I",[("x",int|str|None,None),("y",str|None,None)],frozen=True,gc=False)
i=I(1,"abc")
class J(msgspec.Struct,gc=False):
    x:int|None=None
jj=J(1)
absent=frozenset({None,"","-"})
def bench(s):
    n=200000; best=9
    code=compile("def g():\n for _ in R:\n  "+s, "x","exec"); ns=dict(globals()); ns['R']=range(n); exec(code,ns)
    code=compile("def g0():\n for _ in R:\n  pass", "x","exec"); exec(code,ns)
    def m(fn):
        b=9
        for _ in range(7):
            a=time.process_time(); fn(); b=min(b,time.process_time()-a)
        return b
    print(f"{(m(ns['g'])-m(ns['g0']))/n*1e9:7.0f} ns {s}")
bench("f(t)"); bench("d.timestamp()"); bench("d2.timestamp()"); bench("memo[t[:19]]+float(t[19:-1])"); bench("memo2[t[:17]]+float(t[17:-1])"); bench("(d-EP).total_seconds()")
bench("i.x"); bench("jj.x"); bench("i.x in absent"); bench("i.y in absent")
bench("UsageRecord('a',1.0,'success','t','m','r','p',None,0.1,0.2,'stop',None)")
bench("Tokens(1,2,3,4,5)"); bench("list((1,2,3))"); bench("(t, 200, None)"); bench("memo.get((t,200,None))")
bench("float('.250')"); bench("t[19:-1]")
g=operator.attrgetter('x'); bench("g(i)")
def fn(a): return a
bench("fn(i)")
bench("i.x.__class__ is int"); bench("type(t) is str")
