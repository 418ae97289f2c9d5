"""What models there are on this machine: where they are looked for, what their files say, and what is remembered of it.

```
bounds     the numbers and tables of profiles/library.yaml
ids        an id as a user writes it: `base`, `base:adapter`, `base:adapter@0.5`
facts      what the files of one model say of it
```

Light: nothing here loads a weight, so the daemon, the CLI and the inference process all use it.
"""
