"""The base model, against what its files say, and what the config trusts."""

import pytest

from peft_daemon.language.context import CheckContext, FileFact
from peft_engine.facts import DatasetFact, ModelFact, ModelFlaw, TemplateFact
from tests.unit.language.rules.marked import BASE, Case, findings, with_model

TEMPLATED = with_model("chat_template: «chat.jinja»")
COMMIT = "9b8c1d2e3f405162738495a6b7c8d9e0f1a2b3c4"
HF, SK = "hf_" + "aB3" * 11, "sk-proj-" + "Ab1-" * 8


def base(template: TemplateFact | None = None, files=None, datasets=None, **facts) -> CheckContext:
    return CheckContext(
        model=ModelFact("org/m", **facts), template=template, files=files or {}, datasets=datasets or {}
    )


IM_END = TemplateFact(special_tokens=frozenset({"<|im_end|>"}))
TOKENS = frozenset({"<|im_end|>", "</s>"})

FLAWS = {
    "PW708": "model-incomplete",
    "PW709": "model-truncated",
    "PW710": "model-damaged",
    "PW711": "model-dtype-wrong",
    "PW712": "model-tokenizer-missing",
}

CASES = [
    Case("PW701", "missing", with_model().replace("org/m", "«./m»"), CheckContext(files={"./m": FileFact("missing")})),
    Case("PW701", "folder", with_model().replace("org/m", "./m"), CheckContext(files={"./m": FileFact("folder")})),
    Case("PW702", "one too many", f"{BASE}training: {{max_length: «1025»}}\n", base(context_length=1024)),
    Case("PW702", "all of it", f"{BASE}training: {{max_length: 1024}}\n", base(context_length=1024)),
    Case("PW702", "by default", BASE.replace("version: 1", "«version: 1»"), base(context_length=512)),
    Case("PW703", "another family's", TEMPLATED, base(IM_END, tokens=frozenset({"</s>"}))),
    Case("PW703", "its own", with_model("chat_template: chat.jinja"), base(IM_END, tokens=TOKENS)),
    Case("PW703", "tokenizer not read", with_model("chat_template: chat.jinja"), base(IM_END)),
    Case("PW704", "missing", TEMPLATED, CheckContext(files={"chat.jinja": FileFact("missing")})),
    Case("PW704", "no template", TEMPLATED, CheckContext(template=TemplateFact("Line 2 has no end."))),
    Case("PW704", "a template", with_model("chat_template: chat.jinja"), CheckContext(template=TemplateFact())),
    Case(
        "PW705",
        "conversations",
        BASE.replace("org/m", "«org/m»") + "    format: messages\n",
        base(has_chat_template=False),
    ),
    Case(
        "PW705",
        "recognised",
        BASE.replace("org/m", "«org/m»"),
        base(has_chat_template=False, datasets={"org/d": DatasetFact(1, "alpaca", ())}),
    ),
    Case("PW705", "text", f"{BASE}    format: text\n", base(has_chat_template=False)),
    Case(
        "PW705",
        "a template of its own",
        with_model("chat_template: chat.jinja") + "    format: messages\n",
        base(has_chat_template=False),
    ),
    Case("PW706", "frozen", TEMPLATED, base(IM_END, tokens=TOKENS, has_chat_template=False)),
    Case(
        "PW706",
        "trained",
        with_model("chat_template: chat.jinja") + "method: {modules_to_save: [embed_tokens, lm_head]}\n",
        base(IM_END, tokens=TOKENS, has_chat_template=False),
    ),
    Case(
        "PW706",
        "instruction-tuned",
        with_model("chat_template: x.jinja"),
        base(IM_END, tokens=TOKENS, has_chat_template=True),
    ),
    Case("PW707", "needed", BASE.replace("org/m", "«org/m»"), base(model_type="own", has_remote_code=True)),
    Case("PW707", "known to Transformers", BASE, base(model_type="phi3", has_remote_code=True)),
    Case("PW707", "allowed", with_model("trust_remote_code: true"), base(model_type="own", has_remote_code=True)),
    *(
        case
        for code, kind in FLAWS.items()
        for case in (
            Case(code, kind, BASE.replace("org/m", "«org/m»"), base(flaw=ModelFlaw(kind, "It cannot be loaded."))),
            Case(code, f"no {kind}", BASE, base()),
        )
    ),
    Case("PW820", "on", with_model("trust_remote_code: «true»")),
    Case("PW820", "off", with_model("trust_remote_code: false")),
    Case("PW821", "no revision", with_model("trust_remote_code: «true»")),
    Case("PW821", "a branch", with_model("revision: «main»", "trust_remote_code: true"), related="true"),
    Case("PW821", "a commit", with_model(f"revision: {COMMIT}", "trust_remote_code: true")),
    Case("PW821", "a folder", with_model("trust_remote_code: true").replace("org/m", "./m")),
    Case("PW821", "no code", with_model("revision: main")),
    Case("PW822", "pickle", BASE.replace("org/m", "«org/m»"), base(is_pickle=True)),
    Case("PW822", "safetensors", BASE, base()),
    Case("PW823", "in a value", f"{BASE}name: «{HF}»\n"),
    Case("PW823", "in a comment", f"{BASE}# token: «{SK}»\n"),
    Case("PW823", "behind an emoji", f"{BASE}name: x # 😀 «{HF}»\n"),
    Case(
        "PW823",
        "a word that begins alike",
        f"{BASE}name: hf_transfer\n# sk-learn-based-pipeline-for-texts, half_{'a' * 30}\n",
    ),
    Case("PW113", "misspelt", f"preset: «carefull»\n{BASE}", CheckContext(folder=".", preset_names=("careful",))),
    Case("PW113", "there", f"preset: careful\n{BASE}", CheckContext(folder=".", preset_names=("careful",))),
    Case("PW114", "broken", f"preset: «careful»\n{BASE}", CheckContext(preset_fault="It cannot be used.")),
    Case("PW114", "sound", f"preset: careful\n{BASE}", CheckContext(presets={"careful": {}})),
    Case("PW113", "no folder to look in", f"preset: careful\n{BASE}"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_the_base_is_not_and_what_is_trusted_is_found(case: Case) -> None:
    case.holds()


@pytest.mark.parametrize(
    "line", [f"name: {HF}", f"hub_token: {HF}", f"training: {{seed: {HF}}}", f"{HF}: 1", f"# {SK}", f"{HF}\n"]
)
def test_a_secret_is_never_repeated(line: str) -> None:
    found = findings(f"{BASE}{line}\n")
    assert "PW823" in [finding.code for finding in found]
    for finding in found:
        said = " ".join((finding.message, *(fix.title for fix in finding.fixes), *(r.message for r in finding.related)))
        assert HF[:12] not in said
        assert SK[:14] not in said
