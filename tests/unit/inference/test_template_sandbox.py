"""A chat template is a program from an untrusted file: it renders a prompt or it is refused, and nothing else."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from peft_engine.inference.template import TemplateRefused, TemplateRequest, render
from peft_engine.inference.template_process import TemplateProcess

MESSAGES = [{"role": "user", "content": "<b>Hi & 'bye'</b>"}]


def request(template: str, messages: list[dict[str, str]] | None = None) -> TemplateRequest:
    return TemplateRequest(template, MESSAGES if messages is None else messages, bos_token="<s>", eos_token="</s>")


@pytest.fixture
def process() -> Iterator[TemplateProcess]:
    process = TemplateProcess(limit=20)
    yield process
    process.close()


def test_a_template_gets_messages_special_tokens_and_the_prompt_for_an_answer() -> None:
    template = (
        "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m['content'] }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )

    assert render(request(template)) == "<s>user: <b>Hi & 'bye'</b></s>assistant:"


def test_blocks_leave_no_lines_behind() -> None:
    assert render(request("{% if true %}\n  a\n  {% endif %}\nb")) == "  a\nb"


def test_json_is_written_as_models_learned_it() -> None:
    assert render(request("{{ messages[0] | tojson }}")) == '{"role": "user", "content": "<b>Hi & \'bye\'</b>"}'


def test_tools_are_given_as_they_were_declared() -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"b": 1, "a": [True]}}}
    template = (
        "{% if tools %}{{ tools[0] | tojson(separators=(',', ':'), sort_keys=true) }}{% endif %}"
        "{% if tools is none %}none{% endif %}"
    )

    assert render(replace(request(template), tools=[tool])) == (
        '{"function":{"name":"look_up","parameters":{"a":[true],"b":1}},"type":"function"}'
    )
    assert render(request(template)) == "none"


def test_what_transformers_offers_is_there() -> None:
    assert render(request("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}")) == "01"
    assert render(request("{{ strftime_now('%Y') }}")).isdigit()


def test_a_template_can_refuse_with_its_own_words() -> None:
    with pytest.raises(TemplateRefused, match="roles must alternate"):
        render(request("{{ raise_exception('roles must alternate') }}"))


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__.__base__ }}",
        "{{ raise_exception.__globals__ }}",
        "{{ '{0.__class__.__mro__}'.format(1) }}",
        "{{ '{0.__globals__}'.format(raise_exception) }}",
        "{{ ('{0.__cl' ~ 'ass__}') | format(1) | attr('__class__') }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ lipsum.__globals__['os'].system('id') }}",
        "{{ self.__init__.__globals__ }}",
        "{{ messages.append({}) }}",
        "{{ messages[0].update({'role': 'system'}) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os }}",
        "{{ messages[0]['role'].missing.deeper }}",
        "{{ 1 / 0 }}",
        "{% for %}",
    ],
)
def test_no_template_reaches_python(template: str) -> None:
    try:
        rendered = render(request(template))
    except TemplateRefused:
        return
    assert rendered == ""


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ raise_exception('Roles must alternate.') }}", "Roles must alternate"),
        ("{{ ''.__class__.x }}", "access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ 'x' * 10**10 }}", "it needs too much memory"),
    ],
)
def test_why_a_template_refuses_can_stand_in_a_sentence(process: TemplateProcess, template: str, why: str) -> None:
    with pytest.raises(TemplateRefused) as refused:
        process.render(request(template))

    assert str(refused.value) == why


def test_a_template_without_end_is_refused_in_process() -> None:
    nested = "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxx{% endfor %}{% endfor %}"

    with pytest.raises(TemplateRefused, match="without end"):
        render(request(nested))


def test_the_child_renders_what_the_function_renders(process: TemplateProcess) -> None:
    unicode = [{"role": "user", "content": "日本語 🦜 \n\u2028 \x00"}]

    assert process.render(request("{{ messages[0].content }}", unicode)) == unicode[0]["content"]


def test_a_prompt_larger_than_any_pipe_passes(process: TemplateProcess) -> None:
    long = [{"role": "user", "content": "é" * 2_000_000}]

    assert process.render(request("{{ messages[0].content }}", long)) == long[0]["content"]


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 10**10 }}",
        "{{ 9**(9**9) }}",
        "{{ 'x' | center(10**10) }}",
        "{% set ns = namespace(x='xxxxxxxx') %}{% for a in range(99999) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% macro deeper(n) %}{{ deeper(n + 1) }}{% endmacro %}{{ deeper(0) }}",
        "{{ " + "(" * 50_000 + ")" * 50_000 + " }}",
    ],
    ids=["loop", "repeat", "power", "center", "doubling", "recursion", "nesting"],
)
def test_a_template_beyond_its_limits_is_refused_and_the_next_one_works(template: str) -> None:
    process = TemplateProcess(limit=5)
    process.render(request("warm"))
    begin = time.monotonic()
    try:
        with pytest.raises(TemplateRefused):
            process.render(request(template))
        assert time.monotonic() - begin < 30
        assert process.render(request("fine")) == "fine"
    finally:
        process.close()


def test_an_idle_child_ends_with_its_owner(process: TemplateProcess) -> None:
    child = process.start()
    process.close()

    assert child.poll() is not None
