"""The types of the configuration → ``docs/configuration.md`` and an example with every option."""

from collections.abc import Iterator
from inspect import cleandoc

import msgspec
from msgspec import structs

from flows.config.configuration import Configuration
from flows.config.file import about, toml, wanted

_HEAD = """# Configuration

`yiwang run --config city.toml` reads one TOML file. Every option has a default; paths are relative to the
folder of the file. `yiwang config check city.toml` says what is wrong with a file, `yiwang config example`
prints one with every option, `yiwang config docs` this page.

一个 TOML 文件即全部配置；每项都有缺省值，路径相对于该文件所在目录。
"""


def reference() -> str:
    """The page, Markdown.

    >>> reference().splitlines()[0]
    '# Configuration'
    """
    parts = [_HEAD]
    for section in structs.fields(Configuration):
        parts.append(f"\n## [{section.name}]\n\n{cleandoc(section.type.__doc__ or '')}\n")
        parts.append("\n| option | takes | default | meaning | example |\n|---|---|---|---|---|\n")
        parts += _rows(section.type)
    return "".join(parts)


def example() -> str:
    """A configuration with every option, each with its example and what it means.

    >>> import tomllib
    >>> msgspec.convert(tomllib.loads(example()), Configuration).history.keep
    '30d'
    """
    lines = []
    for section in structs.fields(Configuration):
        said = cleandoc(section.type.__doc__ or "").replace("\n\n", " ")
        lines += ["", f"# {said}", f"[{section.name}]"]
        for field in structs.fields(section.type):
            told = about(field)
            lines += [f"# {told['en']} {told['zh']}", f"{field.name} = {toml(told['example'])}"]
    return "\n".join(lines[1:]) + "\n"


def _rows(section: type[msgspec.Struct]) -> Iterator[str]:
    for field in structs.fields(section):
        said = about(field)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        shown = "none" if default is None else f"`{toml(default)}`"
        takes = wanted(field).replace("|", "\\|")
        meaning = f"{said['en']} {said['zh']}"
        written = f"{field.name} = {toml(said['example'])}"
        yield f"| `{field.name}` | {takes} | {shown} | {meaning} | `{written}` |\n"
