"""Whose turn it is: a queue without a server.

Each waiting run is a light process of its own. Two folders of the state folder are all that these processes share, and
nothing in them has to be cleared up after a crash:

```
queue/<run id>             the run waits; which devices it could take
queue/.places.json         the places that people gave to runs that wait
slots/<device>-<n>.lock    locked by the run that computes there, until its process ends; who that is
```

Who waits, since when and with which priority stands in the runs' own `state.json`; where a
person moved a run, `.places.json` has the word.
"""
