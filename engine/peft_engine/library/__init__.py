"""What models there are on this machine: where they are looked for, what their files say, and what is remembered of it.

```
bounds       the numbers and tables of profiles/library.yaml
ids          an id as a user writes it: `base`, `base:adapter`, `base:adapter@0.5`
places       the folders of other tools, and the user's own
walk         a look through a folder that ends, and stays in it
layouts      how other tools arrange what they keep
facts        what the files of one model say of it
scan         all of that, for what changed since the last time
database     the file in which it is remembered
entries      what was found, by id
definitions  models that a user declares by files
workspaces   the folders open in editors, which may hold such files
yaml_places  where in a file a value stands
trained      what a completed run left
```

Light: nothing here loads a weight, so the daemon, the CLI and the inference process all use it.
"""
