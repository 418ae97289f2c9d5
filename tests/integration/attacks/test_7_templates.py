"""Chat templates that attack: refused within their limits, nothing run or read, and the next one works.

CVE-2024-34359 (llama-cpp-python) and CVE-2026-5760 (SGLang) rendered such templates outside a sandbox.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from peft_engine.inference.template import TemplateRefused, TemplateRequest
from peft_engine.inference.template_process import TemplateProcess

REQUEST = TemplateRequest("", [{"role": "user", "content": "Hello."}], "<s>", "</s>")
REACHING = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ().__class__.__base__.__subclasses__()[133].__init__.__globals__['popen']('touch MARKER').read() }}",
    "{{ cycler.__init__.__globals__.os.system('touch MARKER') }}",
    "{{ joiner.__init__.__globals__.os.system('touch MARKER') }}",
    "{{ namespace.__init__.__globals__.os.system('touch MARKER') }}",
    "{{ lipsum.__globals__['os'].popen('touch MARKER').read() }}",
    "{{ strftime_now.__globals__['os'].system('touch MARKER') }}",
    "{{ raise_exception.__globals__.__builtins__.open('MARKER', 'w') }}",
    "{{ self._TemplateReference__context.environment.globals }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(cycler) }}",
    "{{ '{x.__class__}'.format_map({'x': 1}) }}",
    "{{ '%s' | format(1) | attr('__class__') }}",
    "{{ messages | attr('__class__') | attr('__base__') }}",
    "{{ messages | map(attribute='__class__') | list }}",
    "{{ messages | selectattr('__class__') | map('attr', '__init__') | first | attr('__globals__') }}",
    "{{ (messages | tojson).__class__ }}",
    "{% set x = messages.append('MARKER') %}{{ messages }}",
    "{% include '/etc/passwd' %}",
    "{% include 'chat_template.jinja' ignore missing %}{% import 'os' as os %}{{ os.system('touch MARKER') }}",
    "{% extends '/etc/passwd' %}",
    "{% from 'os' import system %}{{ system('touch MARKER') }}",
]
EXHAUSTING = [
    "{{ 'x' * 10**9 }}",
    "{{ [0] * 10**10 }}",
    "{{ range(10**12) | list }}",
    "{{ raise_exception('x' * 10**8) }}",
    "{{ 1 / ('y' * 10**8) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '%1000000000d' % 1 }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxx{% endfor %}{% endfor %}",
]
ENDLESS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 10**(10**10) }}",
]


@pytest.fixture(scope="module")
def process() -> Iterator[TemplateProcess]:
    process = TemplateProcess(limit=20)
    yield process
    process.close()


@pytest.mark.parametrize("template", REACHING)
def test_no_template_reaches_what_it_was_not_given(process: TemplateProcess, tmp_path: Path, template: str) -> None:
    marker = tmp_path / "marker"
    try:
        rendered = process.render(replace(REQUEST, template=template.replace("MARKER", str(marker))))
    except TemplateRefused as refused:
        rendered = str(refused)
    for word in ("<class", "<built-in", "<function", "root:", "subprocess", "os.environ"):
        assert word not in rendered
    assert not marker.exists()


@pytest.mark.parametrize("template", EXHAUSTING)
def test_a_template_that_takes_too_much_is_refused_in_few_words(process: TemplateProcess, template: str) -> None:
    with pytest.raises(TemplateRefused) as refused:
        process.render(replace(REQUEST, template=template))

    assert len(str(refused.value)) <= 500
    assert process.render(replace(REQUEST, template="{{ messages[0].content }}")) == "Hello."


@pytest.mark.parametrize("template", ENDLESS)
def test_a_template_without_end_is_ended(template: str) -> None:
    process = TemplateProcess(limit=3)
    try:
        process.render(replace(REQUEST, template="warm"))
        with pytest.raises(TemplateRefused, match="too long"):
            process.render(
                replace(
                    REQUEST, template="{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
                )
            )
        assert process.render(replace(REQUEST, template="fine")) == "fine"
    finally:
        process.close()
