"""On a GPU Unsloth runs code that no machine here can run, so what is passed to it is held against its source."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BACKEND = ROOT / "engine/peft_engine/training/backends/unsloth_backend.py"


@pytest.fixture(scope="module")
def models() -> Path:
    """The folder of the installed Unsloth's code for GPUs."""
    found = subprocess.run([ROOT / "tools/unsloth-env.sh", "--find"], capture_output=True, text=True)
    if found.returncode:
        pytest.skip("there is no environment with Unsloth: call tools/unsloth-env.sh, which needs a package index")
    return next(Path(found.stdout.strip()).parents[1].glob("lib/python*/site-packages")) / "unsloth/models"


def calls(function: str) -> set[str]:
    """Return the keywords of our calls of a function, by the last part of its name."""
    return {
        keyword.arg
        for node in ast.walk(ast.parse(BACKEND.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == function
        for keyword in node.keywords
        if keyword.arg is not None
    }


def definition(file: Path, name: str, inside: str | None = None) -> ast.FunctionDef:
    """Return a function of a file, or of a class in it."""
    tree: ast.AST = ast.parse(file.read_text())
    if inside is not None:
        tree = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == inside)
    return next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name)


def parameters(function: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}


def test_F1_the_loader_has_every_keyword_that_it_is_given(models):
    asked = calls("from_pretrained") - {"token"}
    assert "max_seq_length" in asked
    assert asked <= parameters(definition(models / "loader.py", "from_pretrained", "FastLanguageModel"))


def test_F1_the_maker_of_adapters_has_every_keyword_that_it_is_given(models):
    asked = calls("get_peft_model")
    assert "use_rslora" in asked
    assert asked <= parameters(definition(models / "llama.py", "get_peft_model", "FastLlamaModel"))


def test_F1_the_forward_pass_takes_the_borders_and_a_divisor(models):
    forward = definition(models / "llama.py", "_CausalLM_fast_forward")
    source = ast.unparse(forward)
    given = calls("model") - {"logits_to_keep"}
    for keyword in given - parameters(forward):
        assert f"kwargs.get('{keyword}'" in source, keyword
    assert {"packed_seq_lengths", "num_items_in_batch", "labels"} <= given
    assert forward.args.kwarg is not None
