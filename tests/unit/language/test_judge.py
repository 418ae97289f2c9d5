"""What judging version after version costs."""

import gc

from peft_daemon.language.context import NOTHING_KNOWN
from peft_daemon.language.documents import DocumentStore
from peft_daemon.language.judge import Judgement, judge

URI = "untitled:config"
DATASETS = "".join(f"  - path: data/{index}.jsonl\n    format: messages\n" for index in range(40))
HEAD = "version: 1\nmodel:\n  base: gpt2\nmethod:\n  type: lora\n"
KEY = "  alpha: 32"


def test_what_an_edit_leaves_behind_is_freed_without_the_cycle_collector() -> None:
    store, judgement = DocumentStore(), None
    store.open(URI, 1, f"{HEAD}datasets:\n{DATASETS}")
    # What is made once, as the tables of the language, is no edit's.
    judgement = _type(store, judgement)
    gc.collect()
    gc.disable()
    try:
        _type(store, judgement)
        assert gc.collect() == 0
    finally:
        gc.enable()


def _type(store: DocumentStore, judgement: Judgement | None) -> Judgement | None:
    """Type a key letter by letter and take it back."""
    for written in [KEY[:length] for length in (*range(len(KEY)), *range(len(KEY), -1, -1))]:
        document = store.get(URI)
        assert document is not None
        store.change(URI, document.version + 1, [{"text": f"{HEAD}{written}\ndatasets:\n{DATASETS}"}])
        document = store.get(URI)
        assert document is not None
        judgement = judge(document.document, NOTHING_KNOWN, judgement)
    return judgement
